import { describe, expect, it } from 'vitest'
import { seededRandom } from '../data/index.ts'
import type { ToolSyntax } from '../text/index.ts'
import { type AnswerFormat, readAnswer, settledAnswer } from './answer.ts'

const plain: AnswerFormat = { syntax: 'hermes', tools: false, thinking: false, stopStrings: [] }
const pieces = [
  ' ',
  '\n',
  'a',
  'é😀',
  '<',
  '<think>',
  '</think>',
  '<tool_call>',
  '</tool_call>',
  '[TOOL_CALLS]',
  '[TOOL',
  '<|python_tag|>',
  '{"name": "f", "arguments": {}}',
  '{"name": "f"',
  '[{"name": "f", "arguments": {}}]',
  'STOP',
]

describe('what is settled of an answer', () => {
  it.each<ToolSyntax>(['hermes', 'llama', 'mistral'])(
    'is how the whole answer begins, whatever is written: %s',
    (syntax) => {
      const random = seededRandom('settled', syntax)
      for (let round = 0; round < 500; round++) {
        const written = Array.from({ length: random.integer(1, 8) }, () => random.pick(pieces)).join('')
        const format = {
          syntax,
          tools: random.next() < 0.7,
          thinking: random.next() < 0.3,
          stopStrings: random.next() < 0.3 ? ['STOP', '<|'] : [],
        }
        const whole = readAnswer(written, format)
        let longest = 0
        for (let length = 0; length <= written.length; length++) {
          const { reasoning, text } = settledAnswer(written.slice(0, length), format)
          expect(whole.text.startsWith(text)).toBe(true)
          expect((whole.reasoning ?? '').startsWith(reasoning)).toBe(true)
          expect([text.length + reasoning.length >= longest, written, length]).toEqual([
            true,
            written,
            length,
          ])
          longest = text.length + reasoning.length
        }
      }
    },
  )

  it('is all of a plain text but what may become a marker or a space at its end', () => {
    const format = { ...plain, tools: true, stopStrings: ['END'] }
    expect(settledAnswer('yes <tool', format).text).toBe('yes')
    expect(settledAnswer('yes <tool>', format).text).toBe('yes <tool>')
    expect(settledAnswer('yes E', format).text).toBe('yes')
    expect(settledAnswer('yes END no', format).text).toBe('yes')
  })
})

describe('an answer read', () => {
  it('after a prompt that opened the reasoning begins with it, also where it is cut', () => {
    const format = { ...plain, thinking: true }
    expect(readAnswer('hm</think>yes', format)).toEqual({ reasoning: 'hm', text: 'yes', toolCalls: [] })
    expect(readAnswer('hm', format)).toEqual({ reasoning: 'hm', text: '', toolCalls: [] })
  })

  it('keeps a stray closing tag as text', () => {
    for (const tools of [false, true])
      expect(readAnswer('yes</think>no', { ...plain, tools })).toEqual({
        text: 'yes</think>no',
        toolCalls: [],
      })
  })

  it.each<[ToolSyntax, string, unknown]>([
    ['hermes', '<tool_call>{"name": "f", "arguments": {"a"</tool_call>', '{"name": "f", "arguments": {"a"'],
    ['hermes', '<tool_call>{"name": "f", "arguments": 3}</tool_call>', '3'],
    ['mistral', '[TOOL_CALLS][{"name": "f"}, {"nome": 1}]', '[{"name": "f"}, {"nome": 1}]'],
  ])('gives a malformed call that has a name an input no schema takes: %s %s', (syntax, written, input) => {
    const { toolCalls, text } = readAnswer(written, { ...plain, syntax, tools: true })
    expect([toolCalls, text]).toEqual([[{ name: 'f', input }], ''])
  })
})
