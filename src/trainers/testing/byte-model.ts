import { type Model, newModel, type Precision, type TrainableModel } from '../../engine/index.ts'
import { type Tokenizer, trainTokenizer } from '../../text/index.ts'

let tokenizer: Promise<Tokenizer> | undefined

/** One token a byte, the special tokens `<|end|>`, `<|mask|>`, `<|im_start|>` and `<|im_end|>`, and a chat template of those. */
export function byteTokenizer(): Promise<Tokenizer> {
  tokenizer ??= trainTokenizer(['a'], {
    vocabularySize: 260,
    specialTokens: ['<|end|>', '<|mask|>', '<|im_start|>', '<|im_end|>'],
    eosToken: '<|end|>',
    chatTemplate:
      '{% for m in messages %}<|im_start|>{{ m.role[0] }}:{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>a:{% endif %}',
  })
  return tokenizer
}

/** A new model small enough to learn in a second: 32 wide, 2 layers, a context of 128. */
export async function byteModel(seed = 1, precision: Precision = 'f32'): Promise<Model> {
  const config = {
    model_type: 'llama',
    vocab_size: 260,
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 2,
    head_dim: 16,
    max_position_embeddings: 128,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
    initializer_range: 0.1,
  }
  const memory = { kvBytes: 32 << 20, activationBytes: 64 << 20 }
  return newModel(config, await byteTokenizer(), { precision, threads: 2, seed, ...memory })
}

export async function trainableBytes(head?: 'value', seed = 1): Promise<TrainableModel> {
  return (await byteModel(seed)).trainable({ full: true }, head)
}
