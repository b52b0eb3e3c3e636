import { beforeAll, describe, expect, it } from 'vitest'
import { loadTokenizer } from '../load-tokenizer.ts'
import type { Tokenizer } from '../tokenizer.ts'
import { trainTokenizer } from '../train-tokenizer.ts'
import { encodeChat, endTokens } from './encode-chat.ts'
import type { ChatMessage, ToolDefinition } from './messages.ts'
import { renderChat } from './render-chat.ts'
import { llama3, qwen3, qwen25, smollm2 } from './testing/family-templates.ts'
import { parseAssistantText, toolSyntaxOf } from './tool-syntax.ts'

const tools: ToolDefinition[] = [
  {
    name: 'weather',
    description: 'Of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
  },
]
const call = (city: string, id: string) => ({ id, name: 'weather', arguments: { city } })

/** A question that takes tools, its answer, and a second question. */
function conversation(cities: string[], reasoning: boolean): ChatMessage[] {
  const thinking = (text: string) => (reasoning ? { reasoning: text } : {})
  return [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'How is it?' },
    {
      role: 'assistant',
      content: '',
      ...thinking('look it up'),
      toolCalls: cities.map((city, index) => call(city, `call_${index}`)),
    },
    ...cities.map(
      (city, index): ChatMessage => ({
        role: 'tool',
        content: `sun in "${city}"`,
        toolCallId: `call_${index}`,
      }),
    ),
    { role: 'assistant', content: 'Sun.', ...thinking('easy') },
    { role: 'user', content: 'Thanks' },
    { role: 'assistant', content: 'Bye.', ...thinking('polite') },
  ]
}

let json: string
beforeAll(async () => {
  const specialTokens = [
    '<|endoftext|>',
    '<|im_start|>',
    '<|im_end|>',
    '<|begin_of_text|>',
    '<|start_header_id|>',
    '<|end_header_id|>',
    '<|eot_id|>',
  ]
  json = (await trainTokenizer([''], { vocabularySize: 263, specialTokens })).toJson()
})
const tokenizerWith = (chatTemplate: string): Tokenizer =>
  loadTokenizer({
    tokenizerJson: json,
    chatTemplate,
    eosToken: '<|endoftext|>',
    bosToken: '<|begin_of_text|>',
  })

const two = ['Rome', 'Oslo']
const families = {
  smollm2: [smollm2, two],
  qwen25: [qwen25, two],
  qwen3: [qwen3, two],
  llama3: [llama3, ['Rome']],
} as const
type Family = keyof typeof families

/** Each answer of a conversation, encoded as the last of its own row, with the text of its marked tokens. */
function answersOf(family: Family, reasoning: boolean) {
  const [template, cities] = families[family]
  const tokenizer = tokenizerWith(template)
  const messages = conversation([...cities], reasoning)
  return messages.flatMap((message, index) => {
    if (message.role !== 'assistant') return []
    const row = encodeChat(tokenizer, messages.slice(0, index + 1), { tools, marked: 'last' })
    const marked = row.tokens.filter((_, position) => row.assistantMask[position])
    const prompt = renderChat(tokenizer, messages.slice(0, index), { tools, addGenerationPrompt: true })
    return [{ message, row, marked, prompt: tokenizer.encode(prompt), tokenizer, template }]
  })
}

describe.each(Object.keys(families) as Family[])('a chat with tools, by the template of %s', (family) => {
  it.each([false, true])(
    'marks each answer up to its end, after the prompt that sampling begins from (thinking: %s)',
    (reasoning) => {
      for (const { row, marked, prompt, tokenizer } of answersOf(family, reasoning)) {
        expect(row.tokens.slice(0, prompt.length)).toEqual(prompt)
        expect(row.assistantMask.indexOf(1)).toBe(prompt.length)
        expect(endTokens(tokenizer)).toContain(marked.at(-1))
        expect(tokenizer.decode(row.tokens)).toBe(row.text)
      }
    },
  )

  it.each([false, true])('gives answers that are read back as they were (thinking: %s)', (reasoning) => {
    for (const { message, marked, tokenizer, template } of answersOf(family, reasoning)) {
      const text = tokenizer.decode(marked, { skipSpecial: true })
      const { reasoning: thought, ...parsed } = parseAssistantText(text, toolSyntaxOf(template))
      const {
        role: _,
        reasoning: wanted,
        toolCalls = [],
        content,
      } = message as ChatMessage & { role: 'assistant' }
      expect(parsed).toEqual({ content, toolCalls, malformed: [] })
      // Llama's template drops what stands beside a call; Qwen3's writes an empty thought where there is none.
      if (!(family === 'llama3' && toolCalls.length > 0)) expect(thought ?? '').toBe(wanted ?? '')
    }
  })
})

describe('every answer of a chat with tools', () => {
  it.each<[Family, boolean]>([
    ['smollm2', false],
    ['smollm2', true],
    ['qwen25', false],
    ['qwen25', true],
    ['llama3', false],
  ])('is marked in one row by the template of %s (thinking: %s)', (family, reasoning) => {
    const [template, cities] = families[family]
    const tokenizer = tokenizerWith(template)
    const { tokens, assistantMask } = encodeChat(tokenizer, conversation([...cities], reasoning), { tools })
    const alone = answersOf(family, reasoning).flatMap(({ marked }) => [...marked])
    expect([...tokens.filter((_, position) => assistantMask[position])]).toEqual(alone)
  })

  it('is refused by name where thinking is forgotten, with what to do', () => {
    const messages = conversation(two, true)
    expect(() => encodeChat(tokenizerWith(qwen3), messages, { tools })).toThrow(
      /assistant turn 2 differently once later messages follow.*encode each turn as the last/,
    )
    // Within one question thinking stays, so that a whole tool loop is one row.
    const { tokens, assistantMask } = encodeChat(tokenizerWith(qwen3), messages.slice(0, 6), { tools })
    const text = tokenizerWith(qwen3).decode(tokens.filter((_, position) => assistantMask[position]))
    expect(text).toMatch(
      /^<think>\nlook it up\n<\/think>\n\n<tool_call>.*<\|im_end\|><think>\neasy\n<\/think>\n\nSun\.<\|im_end\|>$/s,
    )
  })
})

describe('what a family cannot say', () => {
  it('is an error in the words of its template: two calls at once of Llama', () => {
    expect(() => renderChat(tokenizerWith(llama3), conversation(two, false), { tools })).toThrow(
      'the chat template refuses these messages: This model only supports single tool-calls at once!',
    )
  })

  it('is told to the template: Qwen3 without thinking begins its answer with an empty thought', () => {
    const options = { addGenerationPrompt: true, templateOptions: { enable_thinking: false } }
    expect(renderChat(tokenizerWith(qwen3), [{ role: 'user', content: 'Hi' }], options)).toBe(
      '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n',
    )
  })
})
