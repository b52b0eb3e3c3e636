import { type Tokenizer, trainTokenizer } from '../../text/index.ts'

/** As Qwen2.5 writes conversations: Hermes tags for tools, results of parallel calls in one turn. */
const hermes = `{%- if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content }}

{% endif %}# Tools
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}Call one in <tool_call></tool_call> tags.<|im_end|>
{% endif %}{% for message in messages %}{% if message.role == 'user' or (message.role == 'system' and not (loop.first and tools)) %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% elif message.role == 'assistant' %}<|im_start|>assistant
{{ message.content }}{% for call in message.tool_calls or [] %}{% if message.content or not loop.first %}
{% endif %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% elif message.role == 'tool' %}{% if loop.first or messages[loop.index0 - 1].role != 'tool' %}<|im_start|>user{% endif %}
<tool_response>
{{ message.content }}
</tool_response>{% if loop.last or messages[loop.index0 + 1].role != 'tool' %}<|im_end|>
{% endif %}{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

/** As Qwen3 does: reasoning is kept after the last question and left out before it. */
const thinking = `{%- set ns = namespace(question=0) %}{% for message in messages %}{% if message.role == 'user' %}{% set ns.question = loop.index0 %}{% endif %}{% endfor %}{% if tools %}<|im_start|>system
{{ tools | tojson }}<|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.role == 'assistant' and message.reasoning_content and loop.index0 > ns.question %}<think>
{{ message.reasoning_content }}
</think>

{% endif %}{{ message.content }}{% for call in message.tool_calls or [] %}
<tool_call>
{{ call.function | tojson }}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

/** As Llama 3.1 does. */
const llama = `{{- bos_token }}{% for message in messages %}{% if message.role == 'tool' %}<|start_header_id|>ipython<|end_header_id|>

{{ message.content | tojson }}<|eot_id|>{% elif message.tool_calls %}{% if message.tool_calls | length != 1 %}{{ raise_exception('This model only supports single tool-calls at once!') }}{% endif %}<|start_header_id|>assistant<|end_header_id|>

{"name": "{{ message.tool_calls[0].function.name }}", "parameters": {{ message.tool_calls[0].function.arguments | tojson }}}<|eot_id|>{% else %}<|start_header_id|>{{ message.role }}<|end_header_id|>

{% if tools and loop.first %}{% for tool in tools %}{{ tool | tojson }}
{% endfor %}{% endif %}{{ message.content | trim }}<|eot_id|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}`

/**
 * As Mistral does: the tools before the last question, identifiers of nine characters, and the end of text
 * after an answer.
 */
const mistral = [
  `{%- set ns = namespace(question=0) %}{% for message in messages %}`,
  `{% if message.role == 'user' %}{% set ns.question = loop.index0 %}{% endif %}`,
  `{% endfor %}{{ bos_token }}{% for message in messages %}`,
  `{% if message.role == 'user' or message.role == 'system' %}`,
  `{% if tools and loop.index0 == ns.question %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]`,
  `{% endif %}[INST]{{ message.content }}[/INST]{% elif message.tool_calls %}[TOOL_CALLS][`,
  `{% for call in message.tool_calls %}`,
  `{% if call.id | length != 9 %}{{ raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}`,
  `{% endif %}{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}, "id": "{{ call.id }}"}`,
  `{% if not loop.last %}, {% endif %}{% endfor %}]{{ eos_token }}`,
  `{% elif message.role == 'assistant' %}{{ message.content }}{{ eos_token }}`,
  `{% else %}[TOOL_RESULTS]{"content": {{ message.content }}, "call_id": "{{ message.tool_call_id }}"}[/TOOL_RESULTS]`,
  `{% endif %}{% endfor %}`,
].join('')

/** No special tokens of its own: turns end at the end of text, which the template does not write. */
const plain = `{% for message in messages %}{{ message.role | upper }}: {{ message.content }}
{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}`

const families = {
  hermes: { template: hermes, special: ['<|im_start|>', '<|im_end|>'], eos: '<|im_end|>' },
  thinking: { template: thinking, special: ['<|im_start|>', '<|im_end|>'], eos: '<|im_end|>' },
  llama: {
    template: llama,
    special: ['<|begin|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'],
    eos: '<|eot_id|>',
  },
  mistral: {
    template: mistral,
    special: ['<s>', '</s>', '[INST]', '[/INST]', '[TOOL_CALLS]', '[AVAILABLE_TOOLS]', '[/AVAILABLE_TOOLS]'],
    eos: '</s>',
  },
  plain: { template: plain, special: ['<|end|>'], eos: '<|end|>' },
}

export type Family = keyof typeof families
export const familyNames = Object.keys(families) as Family[]

/** A tokenizer of a few merges above bytes, so that one text has several spellings in tokens. */
export function chatTokenizer(family: Family): Promise<Tokenizer> {
  const { template, special, eos } = families[family]
  return trainTokenizer(
    ['user assistant tool name arguments parameters the answer is "name": "arguments": '],
    {
      vocabularySize: 300,
      minimumFrequency: 1,
      specialTokens: special,
      eosToken: eos,
      ...(family === 'mistral' && { bosToken: '<s>' }),
      ...(family === 'llama' && { bosToken: '<|begin|>' }),
      chatTemplate: template,
    },
  )
}
