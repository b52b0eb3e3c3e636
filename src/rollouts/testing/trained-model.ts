import { newModel, type Sequence, type TrainableModel } from '../../engine/index.ts'
import type { Tokenizer } from '../../text/index.ts'
import type { TrainingSequence } from '../training-sequences.ts'

/** A small model that has learnt to write what was drawn in these sequences. */
export async function trainedModel(
  tokenizer: Tokenizer,
  sequences: readonly TrainingSequence[],
  steps: number,
): Promise<TrainableModel> {
  const config = {
    model_type: 'llama',
    vocab_size: 304,
    hidden_size: 64,
    intermediate_size: 128,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: 32,
    max_position_embeddings: 1024,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
    initializer_range: 0.05,
  }
  const memory = { kvBytes: 64 << 20, activationBytes: 64 << 20 }
  const base = await newModel(config, tokenizer, { precision: 'bf16', threads: 2, seed: 1, ...memory })
  const model = await base.trainable({ full: true })
  const examples = sequences.map((sequence) => ({ sequences: [sequence as Sequence], mask: sequence.mask }))
  for (let step = 0; step < steps; step++) {
    await model.forwardBackward(examples, ({ mask }, [output]) => {
      const logprobs = Float32Array.from(mask, (drawn) => -drawn)
      const loss = mask.reduce((sum, drawn, index) => sum - drawn * output!.logprobs[index]!, 0)
      return { loss, gradients: [{ logprobs }], metrics: {} }
    })
    await model.optimStep({ learningRate: 5e-3 })
  }
  return model
}
