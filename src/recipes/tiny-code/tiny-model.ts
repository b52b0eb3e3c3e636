import { newModel, type TrainableModel } from '../../engine/index.ts'
import { type Tokenizer, trainTokenizer } from '../../text/index.ts'

/** ChatML, with the tools by name alone: a model this small has no attention to spare for their schemas. */
const chatTemplate = `{% if tools %}<|im_start|>system
Tools: {% for tool in tools %}{{ tool.function.name }} {% endfor %}<|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}{% for call in message.tool_calls or [] %}<tool_call>
{{ {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

/** A byte-level BPE of 1024 tokens with a chat template and tool calls. */
export function tinyTokenizer(texts: readonly string[]): Promise<Tokenizer> {
  return trainTokenizer(texts, {
    vocabularySize: 1024,
    specialTokens: ['<|endoftext|>', '<|im_start|>', '<|im_end|>'],
    eosToken: '<|endoftext|>',
    chatTemplate,
  })
}

/** A Llama of two million parameters with random weights. */
export async function tinyModel(tokenizer: Tokenizer, seed: number): Promise<TrainableModel> {
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: 1024,
    hidden_size: 192,
    intermediate_size: 512,
    num_hidden_layers: 4,
    num_attention_heads: 6,
    num_key_value_heads: 6,
    head_dim: 32,
    max_position_embeddings: 1024,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
    hidden_act: 'silu',
    eos_token_id: tokenizer.eosTokenId,
  }
  const model = await newModel(config, tokenizer, { precision: 'bf16', seed })
  return model.trainable({ full: true })
}
