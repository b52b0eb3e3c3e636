import { beforeAll, describe, expect, it } from 'vitest'
import { type ChatMessage, loadTokenizer, type Tokenizer } from '../text/index.ts'
import {
  encodeAnswer,
  type MarkedTokens,
  promptTokens,
  throughAnswer,
  tokensToScore,
} from './marked-tokens.ts'
import { byteTokenizer } from './testing/byte-model.ts'

const ask = (content: string): ChatMessage => ({ role: 'user', content })
const say = (content: string, reasoning?: string): ChatMessage => ({
  role: 'assistant',
  content,
  ...(reasoning && { reasoning }),
})

let tokenizer: Tokenizer
/** Drops the reasoning of earlier turns, as Qwen3 does, and breaks the line after a turn. */
let forgetful: Tokenizer
beforeAll(async () => {
  tokenizer = await byteTokenizer()
  forgetful = loadTokenizer({
    tokenizerJson: tokenizer.toJson(),
    eosToken: '<|end|>',
    chatTemplate:
      '{% for m in messages %}<|im_start|>{{ m.role[0] }}:{% if m.reasoning_content and loop.last %}({{ m.reasoning_content }}){% endif %}{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>a:{% endif %}',
  })
})
const marked = ({ tokens, mask }: MarkedTokens) => tokenizer.decode(tokens.filter((_, t) => mask[t] === 1))

describe('encodeAnswer', () => {
  const earlier = { messages: [ask('1'), say('one', 'r1'), ask('2')] }

  it('marks the answer and not the assistant of the prompt, and begins with the tokens that are sampled from', () => {
    for (const by of [tokenizer, forgetful]) {
      const encoded = encodeAnswer(by, earlier, [say('two')])
      expect(marked(encoded)).toBe('two<|im_end|>')
      const prompt = promptTokens(by, earlier)
      expect(encoded.tokens.slice(0, prompt.length)).toEqual(prompt)
      expect(encoded.mask.indexOf(1)).toBe(prompt.length)
    }
  })

  it('marks each turn of an answer with tools', () => {
    const answer = [
      { ...say(''), toolCalls: [{ id: '1', name: 'add', arguments: {} }] } as ChatMessage,
      { role: 'tool' as const, content: 'result', toolCallId: '1' },
      say('three'),
    ]
    const text = marked(encodeAnswer(tokenizer, { messages: [ask('1'), say('one'), ask('2')] }, answer))
    expect(text).toMatch(/add.*<\|im_end\|>three<\|im_end\|>$/s)
    expect(text).not.toContain('one')
    expect(text).not.toContain('result')
  })
})

describe('tokensToScore', () => {
  it('ends with the answer, not with what the template writes after it', () => {
    const tokens = tokensToScore(forgetful, { messages: [ask('1'), say('one')] })
    expect(tokenizer.decode(tokens).endsWith('one<|im_end|>')).toBe(true)
    expect(tokens).toEqual(throughAnswer(encodeAnswer(forgetful, { messages: [ask('1')] }, [say('one')])))
    expect(() => tokensToScore(tokenizer, { messages: [ask('1')] })).toThrow('no answer of the assistant')
  })
})
