import { seededRandom } from 'whetstone/data'
import { type Model, newModel } from 'whetstone/engine'
import { trainTokenizer } from 'whetstone/text'
import { sft } from 'whetstone/trainers'

export const things = ['key', 'pen', 'map', 'hat']
export const places = ['box', 'jar', 'cup']

const chatTemplate = `{% if tools %}<|s|>tools:{% for tool in tools %} {{ tool.function.name }}{% endfor %}<|end|>{% endif %}
{%- for m in messages %}<|s|>{{ m.role }}:{{ m.content }}
{%- for call in m.tool_calls or [] %}<tool_call>{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}</tool_call>{% endfor %}<|end|>{% endfor %}
{%- if add_generation_prompt %}<|s|>assistant:{% endif %}`

/** A small model that has seen a few conversations with the tool `find`, and as many in which the answer was guessed. */
export async function agentModel(steps = 150): Promise<Model> {
  const specialTokens = ['<|end|>', '<|s|>', '<tool_call>', '</tool_call>']
  const tokenizer = await trainTokenizer(['a'], {
    vocabularySize: 260,
    specialTokens,
    eosToken: '<|end|>',
    chatTemplate,
  })
  const size = { vocab_size: 260, hidden_size: 64, intermediate_size: 128, num_hidden_layers: 2 }
  const heads = { num_attention_heads: 4, num_key_value_heads: 4, max_position_embeddings: 512 }
  const rest = { rms_norm_eps: 1e-5, rope_theta: 10000, tie_word_embeddings: true, initializer_range: 0.1 }
  const base = await newModel({ model_type: 'llama', ...size, ...heads, ...rest }, tokenizer, {
    precision: 'f32',
    seed: 1,
  })
  const model = await base.trainable({ full: true })
  const tools = [{ name: 'find', parameters: {} }]
  const random = seededRandom('conversations')
  const examples = things.flatMap((thing) =>
    places.flatMap((place) => {
      const call = { id: 'call_0', name: 'find', arguments: { thing } }
      const question = { role: 'user' as const, content: `Where is the ${thing}?` }
      return [
        {
          tools,
          messages: [
            question,
            { role: 'assistant' as const, content: '', toolCalls: [call] },
            { role: 'tool' as const, content: place, toolCallId: 'call_0' },
            { role: 'assistant' as const, content: place },
          ],
        },
        { tools, messages: [question, { role: 'assistant' as const, content: random.pick(places) }] },
      ]
    }),
  )
  const optimizer = { learningRate: 0.005, warmupSteps: 10, schedule: 'linear' } as const
  for await (const _ of sft({ model, examples, optimizer, batch: { examples: 24 }, steps }));
  return model.snapshot()
}
