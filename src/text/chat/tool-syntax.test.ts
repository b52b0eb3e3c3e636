import { describe, expect, it } from 'vitest'
import { formatToolCalls, parseAssistantText, type ToolSyntax, toolSyntaxOf } from './tool-syntax.ts'

const calls = [
  { id: 'call_0', name: 'search', arguments: { query: 'a; "b" }]', limit: 3 } },
  { id: 'call_1', name: 'read', arguments: {} },
]

describe('tool calls', () => {
  it.each<ToolSyntax>(['hermes', 'llama', 'mistral'])('are read as they were written: %s', (syntax) => {
    expect(parseAssistantText(formatToolCalls(calls, syntax), syntax)).toEqual({
      content: '',
      toolCalls: calls,
      malformed: [],
    })
  })

  it('stand beside reasoning and content', () => {
    const text =
      '<think>\nhm\n</think>\n\nLooking.\n<tool_call>\n{"name": "read", "arguments": "{\\"path\\": \\"a\\"}"}\n</tool_call>'
    expect(parseAssistantText(text, 'hermes', 4)).toEqual({
      reasoning: 'hm',
      content: 'Looking.',
      toolCalls: [{ id: 'call_4', name: 'read', arguments: { path: 'a' } }],
      malformed: [],
    })
  })

  it('that are cut off are read where the object is whole and reported where it is not', () => {
    expect(parseAssistantText('<tool_call>{"name": "read"}', 'hermes').toolCalls).toHaveLength(1)
    const { toolCalls, malformed } = parseAssistantText('<tool_call>{"name": "re', 'hermes')
    expect(toolCalls).toEqual([])
    expect(malformed[0]?.problem).toContain('not valid JSON')
  })

  it.each([
    ['[1]', 'must be a JSON object'],
    ['{"arguments": {}}', 'no "name"'],
    ['{"name": "f", "arguments": [1]}', 'must be a JSON object'],
    ['{"name": "f", "arguments": "x"}', 'not JSON'],
  ])('that are malformed are reported, never thrown: %s', (body, problem) => {
    const { toolCalls, malformed } = parseAssistantText(`<tool_call>${body}</tool_call>`, 'hermes')
    expect(toolCalls).toEqual([])
    expect(malformed[0]?.problem).toContain(problem)
  })

  it('leave an answer without calls as it is, also one that is JSON', () => {
    expect(parseAssistantText('{"answer": 1}', 'llama')).toEqual({
      content: '{"answer": 1}',
      toolCalls: [],
      malformed: [],
    })
    expect(parseAssistantText('plain', 'hermes').content).toBe('plain')
  })

  it('that follow unfinished thinking are not looked for', () => {
    expect(parseAssistantText('<think>maybe <tool_call>', 'hermes')).toEqual({
      reasoning: 'maybe <tool_call>',
      content: '',
      toolCalls: [],
      malformed: [],
    })
  })

  const about = [
    {
      id: 'call_0',
      name: 'write',
      arguments: {
        text: 'a </think> b </tool_call> c <tool_call>{"name": "x"}</tool_call> "quoted\\" [TOOL_CALLS] [1]',
      },
    },
    { id: 'call_1', name: 'read', arguments: {} },
  ]
  it.each<ToolSyntax>(['hermes', 'llama'])(
    'keep arguments that speak of tool calls and thinking: %s',
    (syntax) => {
      const written = formatToolCalls(about, syntax)
      expect(parseAssistantText(written, syntax)).toEqual({ content: '', toolCalls: about, malformed: [] })
      expect(parseAssistantText(`<think>\nhm\n</think>\n\n${written}`, syntax)).toMatchObject({
        reasoning: 'hm',
        toolCalls: about,
      })
    },
  )

  it('end thinking that the prompt began, before calls that speak of it', () => {
    const written = formatToolCalls(about, 'hermes')
    expect(parseAssistantText(`hm\n</think>\nSo.\n${written}`, 'hermes')).toEqual({
      reasoning: 'hm',
      content: 'So.',
      toolCalls: about,
      malformed: [],
    })
  })

  it('are read one by one where closing tags are missing or one is damaged', () => {
    const read = '{"name": "read"}'
    const names = (text: string) => {
      const { toolCalls, malformed } = parseAssistantText(text, 'hermes')
      return [...toolCalls.map(({ name }) => name), ...malformed.map(({ text }) => text)]
    }
    expect(names(`<tool_call>${read}<tool_call>${read}`)).toEqual(['read', 'read'])
    expect(names(`<tool_call>{"name": "re</tool_call>\n<tool_call>${read}</tool_call>`)).toContain('read')
    expect(names(`<tool_call>{"name": "re</tool_call> said "so`)).toContain('{"name": "re')
  })

  it('are looked for in a time that grows with the text alone', () => {
    for (const part of [
      '<tool_call>',
      '<tool_call>{',
      '<tool_call>"',
      '</think>',
      '{"name": ;',
      '[TOOL_CALLS][',
    ])
      for (const syntax of ['hermes', 'llama', 'mistral'] as const)
        expect(parseAssistantText(part.repeat(50_000), syntax).toolCalls).toEqual([])
  })

  it('are written as the chat template does', () => {
    expect(toolSyntaxOf('... [TOOL_CALLS] ...')).toBe('mistral')
    expect(toolSyntaxOf('{{ \'"parameters": \' }}')).toBe('llama')
    expect(toolSyntaxOf('<tool_call> "parameters": ')).toBe('hermes')
    expect(toolSyntaxOf(undefined)).toBe('hermes')
  })
})
