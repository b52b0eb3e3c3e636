import { seededRandom, seedOf } from '../../data/random.ts'
import type { Example, Loss, TrainableModel } from '../../engine/index.ts'
import { newModel } from '../../engine/index.ts'
import { tinyTokenizer } from '../../engine/testing/tiny-model.ts'
import type { StageReport } from '../../trainers/stage.ts'
import { runStage } from '../../trainers/stage.ts'
import type { Run } from '../run.ts'

const CONFIG = {
  model_type: 'llama',
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  head_dim: 16,
  vocab_size: 257,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  hidden_act: 'silu',
}

export async function toyModel(): Promise<TrainableModel> {
  const model = await newModel(CONFIG, await tinyTokenizer(), { precision: 'f32', threads: 1, seed: 3 })
  return model.trainable({ full: true })
}

const weighted =
  (weights: number[]): Loss<Example & { index: number }> =>
  ({ index }, outputs) => {
    const weight = weights[index] as number
    let loss = 0
    const gradients = outputs.map(({ logprobs }) => {
      for (const logprob of logprobs) loss -= weight * logprob
      return { logprobs: new Float32Array(logprobs.length).fill(-weight) }
    })
    return { loss, gradients, metrics: {} }
  }

function sequence(tokens: readonly number[]) {
  return { input: Int32Array.from(tokens.slice(0, -1)), target: Int32Array.from(tokens.slice(1)) }
}

/** Next-token learning of a fixed text, from a place that the seed and the step choose. */
export async function* toyPretrain(
  model: TrainableModel,
  run: Run,
  steps: number,
): AsyncGenerator<StageReport> {
  const text = [...Buffer.from('the quick brown fox jumps over the lazy dog '.repeat(2))]
  yield* runStage({
    name: 'pretrain',
    steps,
    state: { models: { policy: model } },
    run,
    async step(index) {
      const start = seededRandom(run.seed, 'pretrain', index).integer(0, 40)
      const tokens = text.slice(start, start + 24)
      const { loss } = await model.forwardBackward(
        [{ sequences: [sequence(tokens)], index: 0 }],
        weighted([1 / 23]),
      )
      const { gradientNorm } = await model.optimStep({ learningRate: 3e-3 })
      return { metrics: { loss, gradientNorm, tokens: 23 } }
    },
  })
}

/** REINFORCE on two-turn rollouts that run at once and take times of their own: the share of even tokens. */
export async function* toyReinforce(
  model: TrainableModel,
  run: Run,
  steps: number,
): AsyncGenerator<StageReport> {
  let average = 0
  yield* runStage({
    name: 'reinforce',
    steps,
    state: {
      models: { policy: model },
      save: () => ({ average }),
      load: (saved) => {
        average = (saved as { average: number }).average
      },
    },
    run,
    evaluate: {
      every: 3,
      measure: async () => ({ even: average }),
      best: { metric: 'even', goal: 'maximum' },
    },
    async step(index) {
      const rollouts = await Promise.all(
        [0, 1, 2, 3].map((sample) => toyRollout(model, run.seed, index, sample)),
      )
      const reward = rollouts.reduce((sum, one) => sum + one.reward, 0) / rollouts.length
      average = 0.8 * average + 0.2 * reward
      const weights = rollouts.map((one) => (one.reward - average) / 16)
      const examples = rollouts.map(({ segments: [{ tokens }] }, i) => ({
        sequences: [sequence(tokens)],
        index: i,
      }))
      const { loss } = await model.forwardBackward(examples, weighted(weights))
      await model.optimStep({ learningRate: 1e-3 })
      return { metrics: { reward, loss, tokens: 4 * 12 }, rollouts }
    },
  })
}

async function toyRollout(model: TrainableModel, seed: number, step: number, sample: number) {
  const tokens = [...Buffer.from('the ')]
  const logprobs: number[] = []
  for (let call = 0; call < 2; call++) {
    // Whatever comes back first must change nothing.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 2))
    const [drawn] = await model.sample({
      prompt: tokens,
      maxTokens: 6,
      stopTokens: [],
      seed: seedOf(seed, step, sample, call) % 2 ** 32,
    })
    tokens.push(...drawn!.tokens)
    logprobs.push(...drawn!.logprobs)
  }
  const drawn = tokens.slice(4)
  const none = [0, 0, 0, 0]
  const segment = { tokens, mask: [...none, ...drawn.map(() => 1)], logprobs: [...none, ...logprobs] }
  return {
    sample,
    text: model.tokenizer.decode(drawn),
    reward: drawn.filter((token) => token % 2 === 0).length / drawn.length,
    segments: [segment] as [typeof segment],
  }
}
