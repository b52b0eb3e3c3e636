import { beforeAll, describe, expect, it } from 'vitest'
import { loadTokenizer } from '../load-tokenizer.ts'
import type { Tokenizer } from '../tokenizer.ts'
import { trainTokenizer } from '../train-tokenizer.ts'
import { encodeChat, endTokens } from './encode-chat.ts'
import type { ChatMessage, ToolDefinition } from './messages.ts'
import { renderChat } from './render-chat.ts'

const smollm2 = `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}`

/** Drops the reasoning of earlier turns, as Qwen3 does. */
const forgetful = `{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.reasoning_content and loop.last %}<think>{{ message.reasoning_content }}</think>{% endif %}{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

const withTools = `{% if tools %}TOOLS {{ tools | tojson }}
{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}{% if message.tool_calls %}{% for call in message.tool_calls %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}{% endif %}<|im_end|>
{% endfor %}`

const add: ToolDefinition = { name: 'add', description: 'Adds', parameters: { type: 'object' } }

let json: string
beforeAll(async () => {
  const special = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
  json = (
    await trainTokenizer(['user assistant system\n\n hello'], { vocabularySize: 300, specialTokens: special })
  ).toJson()
})
const tokenizerWith = (chatTemplate: string): Tokenizer =>
  loadTokenizer({ tokenizerJson: json, chatTemplate, eosToken: '<|endoftext|>' })

/** The text of each unbroken run of marked tokens. */
function markedTexts(tokenizer: Tokenizer, messages: ChatMessage[], options = {}): string[] {
  const { tokens, assistantMask } = encodeChat(tokenizer, messages, options)
  const runs: number[][] = []
  tokens.forEach((token, index) => {
    if (!assistantMask[index]) return
    if (!assistantMask[index - 1]) runs.push([])
    runs.at(-1)?.push(token)
  })
  return runs.map((run) => tokenizer.decode(run))
}

describe('renderChat', () => {
  it('renders as the checkpoint of SmolLM2 expects', () => {
    const question: ChatMessage[] = [{ role: 'user', content: 'Hi.' }]
    expect(renderChat(tokenizerWith(smollm2), question, { addGenerationPrompt: true })).toBe(
      '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\n',
    )
  })

  it('describes tools and writes calls and results for a template that knows none', () => {
    const text = renderChat(
      tokenizerWith(smollm2),
      [
        { role: 'user', content: 'One and one?' },
        {
          role: 'assistant',
          content: 'Adding.',
          toolCalls: [{ id: 'call_0', name: 'add', arguments: { a: 1, b: 1 } }],
        },
        { role: 'tool', toolCallId: 'call_0', content: '2' },
        { role: 'tool', toolCallId: 'call_1', content: '3' },
      ],
      { tools: [add] },
    )
    expect(text).toContain('<|im_start|>system\n# Tools')
    expect(text).toContain('{"type":"function","function":{"name":"add"')
    expect(text).toContain(
      'Adding.\n<tool_call>\n{"name":"add","arguments":{"a":1,"b":1}}\n</tool_call><|im_end|>',
    )
    expect(text).toContain(
      '<|im_start|>user\n<tool_response>\n2\n</tool_response>\n<tool_response>\n3\n</tool_response><|im_end|>',
    )
  })

  it('hands tools and calls to a template that knows them', () => {
    const messages: ChatMessage[] = [
      { role: 'assistant', content: '', toolCalls: [{ id: 'call_0', name: 'add', arguments: { a: 1 } }] },
    ]
    const text = renderChat(tokenizerWith(withTools), messages, { tools: [add] })
    expect(text).toMatch(/^TOOLS \[\{"type": "function"/)
    expect(text).toContain('<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>')
  })

  it('says so when there is no template, it does not parse, or it refuses the messages', () => {
    const none = loadTokenizer({ tokenizerJson: json })
    expect(() => renderChat(none, [])).toThrow('no chat template')
    expect(() => renderChat(tokenizerWith('{% for %}'), [])).toThrow(/^the chat template does not parse/)
    expect(() => renderChat(tokenizerWith("{{ raise_exception('roles must alternate') }}"), [])).toThrow(
      'roles must alternate',
    )
  })
})

describe('encodeChat', () => {
  const conversation: ChatMessage[] = [
    { role: 'user', content: 'hello' },
    { role: 'assistant', content: '\nfirst ' },
    { role: 'user', content: 'assistant' },
    { role: 'assistant', content: 'second 日' },
  ]

  it('marks what the model wrote and its end of turn, nothing else', () => {
    expect(markedTexts(tokenizerWith(smollm2), conversation)).toEqual([
      '\nfirst <|im_end|>',
      'second 日<|im_end|>',
    ])
  })

  it('marks the last turn alone when asked', () => {
    expect(markedTexts(tokenizerWith(smollm2), conversation, { marked: 'last' })).toEqual([
      'second 日<|im_end|>',
    ])
  })

  it('keeps the text and begins an answer with the very tokens of its prompt', () => {
    const tokenizer = tokenizerWith(smollm2)
    const { tokens, text } = encodeChat(tokenizer, conversation)
    expect(tokenizer.decode(tokens)).toBe(text)
    const prompt = tokenizer.encode(
      renderChat(tokenizer, conversation.slice(0, 1), { addGenerationPrompt: true }),
    )
    expect(tokens.slice(0, prompt.length)).toEqual(prompt)
  })

  it('does the same for a tokenizer that puts a space before a text', () => {
    const data = JSON.parse(json)
    data.pre_tokenizer.add_prefix_space = true
    const tokenizer = loadTokenizer({ tokenizerJson: JSON.stringify(data), chatTemplate: smollm2 })
    expect(tokenizer.addsPrefixSpace).toBe(true)
    const marked = markedTexts(tokenizer, conversation)
    expect(marked.map((text) => text.trim())).toEqual(['first <|im_end|>', 'second 日<|im_end|>'])
  })

  it('refuses to mark a turn that the template renders differently later', () => {
    const messages: ChatMessage[] = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b', reasoning: 'why' },
      { role: 'user', content: 'c' },
      { role: 'assistant', content: 'd' },
    ]
    const tokenizer = tokenizerWith(forgetful)
    expect(() => encodeChat(tokenizer, messages)).toThrow('assistant turn 1 differently')
    expect(markedTexts(tokenizer, messages, { marked: 'last' })).toEqual(['d<|im_end|>'])
    expect(markedTexts(tokenizer, messages.slice(0, 2))).toEqual(['<think>why</think>b<|im_end|>'])
  })

  it('knows the end of a turn by the template as well as by the checkpoint', () => {
    expect([...endTokens(tokenizerWith(smollm2))]).toEqual([0, 2])
    expect([...endTokens(tokenizerWith("{{ raise_exception('system first') }}"))]).toEqual([0])
  })
})
