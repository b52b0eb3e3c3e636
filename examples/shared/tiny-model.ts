import { type Model, newModel } from 'whetstone/engine'
import { trainTokenizer } from 'whetstone/text'

const chatTemplate = `{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

/** A new model of bytes that learns small things in seconds on a laptop. For a real one: `await loadModel('smollm2-135m')`. */
export async function tinyModel(seed = 0): Promise<Model> {
  const specialTokens = ['<|end|>', '<|mask|>', '<|im_start|>', '<|im_end|>']
  const tokenizer = await trainTokenizer(['a'], {
    vocabularySize: 260,
    specialTokens,
    eosToken: '<|end|>',
    chatTemplate,
  })
  const config = {
    model_type: 'llama',
    vocab_size: 260,
    hidden_size: 64,
    intermediate_size: 128,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 256,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
    initializer_range: 0.1,
  }
  return newModel(config, tokenizer, { precision: 'f32', seed })
}
