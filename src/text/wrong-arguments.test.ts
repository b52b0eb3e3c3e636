import { beforeAll, describe, expect, it } from 'vitest'
import {
  encodeChat,
  formatToolCalls,
  loadTokenizer,
  loadTokenizerFolder,
  parseAssistantText,
  renderChat,
  saveTokenizerFolder,
  type Tokenizer,
  trainTokenizer,
} from './index.ts'

let tokenizer: Tokenizer
beforeAll(async () => {
  tokenizer = await trainTokenizer(['hello there'], {
    vocabularySize: 262,
    specialTokens: ['<|end|>'],
    eosToken: '<|end|>',
    chatTemplate: '{% for m in messages %}{{ m.role }}: {{ m.content }}<|end|>{% endfor %}',
  })
})

type Call = (value: never) => unknown

describe('a tokenizer given what is wrong', () => {
  it.each<[string, Call, unknown, string]>([
    ['encode', (text) => tokenizer.encode(text), undefined, 'the text is undefined; it must be text'],
    ['encode', (text) => tokenizer.encode(text), ['a'], "the text is [ 'a' ]; it must be text"],
    [
      'encode',
      (options) => tokenizer.encode('a', options),
      { addSpecial: 'no' },
      "addSpecial is 'no'; it must be true or false",
    ],
    ['encodeWithOffsets', (text) => tokenizer.encodeWithOffsets(text), 3, 'the text is 3'],
    [
      'decode',
      (tokens) => tokenizer.decode(tokens),
      3,
      'the tokens are 3; they must be an array of token ids',
    ],
    [
      'decode',
      (tokens) => tokenizer.decode(tokens),
      { length: 1e12 },
      'the tokens are { length: 1000000000000 }',
    ],
    ['decode', (tokens) => tokenizer.decode(tokens), [1.5], '1.5 is not a token id'],
    ['decode', (tokens) => tokenizer.decode(tokens), new Int32Array([-5]), '-5 is not a token id'],
    ['decode', (tokens) => tokenizer.decode(tokens), [2 ** 31], '2147483648 is not a token id'],
    ['tokenToId', (token) => tokenizer.tokenToId(token), null, 'the token is null'],
    ['idToToken', (id) => tokenizer.idToToken(id), Number.NaN, 'NaN is not a token id'],
    [
      'loadTokenizer',
      (source) => loadTokenizer(source),
      undefined,
      'the source is undefined; it must be an object',
    ],
    ['loadTokenizer', (json) => loadTokenizer({ tokenizerJson: json }), 3, 'tokenizerJson is 3'],
    [
      'loadTokenizer',
      (part) => loadTokenizer({ tokenizerJson: tokenizer.toJson(), chatTemplate: part }),
      3,
      'chatTemplate is 3',
    ],
    [
      'loadTokenizer',
      (part) => loadTokenizer({ tokenizerJson: tokenizer.toJson(), eosToken: part }),
      3,
      'eosToken is 3',
    ],
    [
      'loadTokenizer',
      (part) => loadTokenizer({ tokenizerJson: tokenizer.toJson(), stopTokenIds: part }),
      [1, -1],
      '-1 is not a token id',
    ],
  ])('%s says what: %#', (_, call, value, message) => {
    expect(() => call(value as never)).toThrow(message)
    expect(() => call(value as never)).toThrow(expect.objectContaining({ name: 'TextError' }))
  })

  it('decodes on after a token that is none', () => {
    const decoder = tokenizer.decoder()
    const [first, ...others] = tokenizer.encode('日本')
    expect(decoder.push(first!)).toBe('')
    for (const token of [undefined, 1.5, -1, 2 ** 33])
      expect(() => decoder.push(token as never)).toThrow('is not a token id')
    expect(others.map((token) => decoder.push(token)).join('') + decoder.end()).toBe('日本')
  })
})

describe('files and training given what is wrong', () => {
  it.each<[string, () => Promise<unknown>, string]>([
    [
      'no folder',
      () => loadTokenizerFolder(undefined as never),
      'the directory is undefined; it must be text',
    ],
    ['an empty folder name', () => loadTokenizerFolder(''), "the directory is empty; give a folder, '.' for"],
    ['an empty folder name', () => saveTokenizerFolder(tokenizer, ''), 'the directory is empty'],
    [
      'no texts',
      () => trainTokenizer(undefined as never, { vocabularySize: 300 }),
      'the texts are undefined',
    ],
    [
      'one text',
      () => trainTokenizer('abc', { vocabularySize: 300 }),
      "the texts are 'abc'; they must be an array",
    ],
    ['a text that is none', () => trainTokenizer(['a', 3 as never], { vocabularySize: 300 }), 'text 1 is 3'],
    ['no settings', () => trainTokenizer(['a'], undefined as never), 'the training is undefined'],
    [
      'one special token',
      () => trainTokenizer(['a'], { vocabularySize: 300, specialTokens: 'abc' as never }),
      "specialTokens is 'abc'",
    ],
    [
      'a special token that is none',
      () => trainTokenizer(['a'], { vocabularySize: 300, specialTokens: [3 as never] }),
      'specialTokens[0] is 3',
    ],
    // The trainer sets room aside for as many tokens as it is asked for, and a failed allocation would end the process.
    [
      'a vocabulary beyond all memory',
      () => trainTokenizer(['a'], { vocabularySize: 2 ** 31 - 1 }),
      'to 1048576',
    ],
  ])('say what: %s', async (_, call, message) => {
    await expect(call()).rejects.toThrow(message)
    await expect(call()).rejects.toMatchObject({ name: 'TextError' })
  })
})

describe('a chat given what is wrong', () => {
  const call = { id: 'call_0', name: 'f', arguments: {} }
  it.each<[unknown, string]>([
    [undefined, 'messages is undefined'],
    ['hello', "messages is 'hello'; it must be an array"],
    [[undefined], 'message 0 is undefined; it must be an object'],
    [
      [{ role: 'bot', content: '' }],
      "message 0: role is 'bot'; it must be one of system, user, assistant, tool",
    ],
    [[{ role: 'user' }], 'message 0: content is undefined; it must be text'],
    [
      [{ role: 'user', content: [{ type: 'text', text: 'a' }] }],
      'message 0: content is [ [Object] ]; it must be text',
    ],
    [
      [{ role: 'assistant', content: null, toolCalls: [call] }],
      "content is null; it must be text, '' where there is none",
    ],
    [[{ role: 'assistant', content: '', reasoning: 3 }], 'message 0: reasoning is 3'],
    [[{ role: 'assistant', content: '', toolCalls: 3 }], 'message 0: toolCalls is 3'],
    [[{ role: 'assistant', content: '', toolCalls: [{}] }], 'message 0: toolCalls[0].name is undefined'],
    [
      [{ role: 'assistant', content: '', toolCalls: [{ ...call, arguments: '{}' }] }],
      "toolCalls[0].arguments is '{}'; it must be an object",
    ],
    [[{ role: 'tool', content: '' }], 'message 0: toolCallId is undefined'],
  ])('names the message and field: %#', (messages, problem) => {
    for (const work of [renderChat, encodeChat])
      expect(() => work(tokenizer, messages as never)).toThrow(problem)
  })

  it.each<[unknown, string]>([
    [null, 'options is null'],
    [{ tools: 3 }, 'tools is 3; it must be an array'],
    [{ tools: [{ name: 'f' }] }, 'tools[0].parameters is undefined; it must be an object'],
    [{ tools: [{ name: 3, parameters: {} }] }, 'tools[0].name is 3'],
    [{ addGenerationPrompt: 'yes' }, "addGenerationPrompt is 'yes'"],
    [{ templateOptions: 3 }, 'templateOptions is 3'],
    [{ marked: 'some' }, "marked is 'some'; it must be 'all' or 'last'"],
  ])('names the option: %o', (options, problem) => {
    expect(() => encodeChat(tokenizer, [{ role: 'user', content: 'a' }], options as never)).toThrow(problem)
  })

  it('says that a syntax is none', () => {
    expect(() => parseAssistantText('a', 'xml' as never)).toThrow(
      "the tool syntax is 'xml'; it must be one of hermes,",
    )
    expect(() => formatToolCalls([], undefined as never)).toThrow('the tool syntax is undefined')
    expect(() => parseAssistantText(undefined as never, 'hermes')).toThrow('the text is undefined')
    expect(() => formatToolCalls([{}] as never, 'hermes')).toThrow('the tool calls[0].name is undefined')
    const big = [{ ...call, arguments: { n: 1n } }]
    expect(() => formatToolCalls(big, 'hermes')).toThrow('the arguments of f cannot be written as JSON')
  })
})
