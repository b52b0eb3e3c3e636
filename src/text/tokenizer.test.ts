import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadTokenizer, loadTokenizerFolder, saveTokenizerFolder } from './load-tokenizer.ts'
import { missingTokenizer } from './missing-tokenizer.ts'
import type { Tokenizer } from './tokenizer.ts'
import { trainTokenizer } from './train-tokenizer.ts'

const texts = ['the cat sat on the mat', 'the dog sat on the log', 'naïve café 什么是 🧪🧪']
const training = { vocabularySize: 300, specialTokens: ['<|end|>', '<|start|>'], eosToken: '<|end|>' }

let tokenizer: Tokenizer
let directory: string
beforeAll(async () => {
  tokenizer = await trainTokenizer(texts, training)
  directory = await mkdtemp(join(tmpdir(), 'whetstone-text-'))
})
afterAll(() => rm(directory, { recursive: true }))

describe('a byte-level tokenizer trained here', () => {
  it('gives special tokens the lowest ids in their order, then has the 256 bytes and merges', () => {
    expect(tokenizer.tokenToId('<|end|>')).toBe(0)
    expect(tokenizer.tokenToId('<|start|>')).toBe(1)
    expect(tokenizer.specialTokenIds).toEqual([0, 1])
    expect(tokenizer.vocabularySize).toBeGreaterThan(258)
    expect(tokenizer.encode('the').length).toBe(1)
  })

  it('gives back any text, also one it never saw', () => {
    for (const text of ['', ' ', 'Zürich\t\r\n', '𝄞 日本語 \u0000', 'the cat', '<|end|>x'])
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
  })

  it('is the same for the same texts', async () => {
    expect((await trainTokenizer(texts, training)).toJson()).toBe(tokenizer.toJson())
  })

  it('refuses a vocabulary too small for bytes and special tokens', async () => {
    await expect(trainTokenizer(texts, { ...training, vocabularySize: 257 })).rejects.toThrow('from 258')
  })

  it('refuses an end token that is not among its tokens', async () => {
    await expect(trainTokenizer(texts, { vocabularySize: 300, eosToken: '</s>' })).rejects.toThrow(
      'the end-of-text token "</s>" is not in the tokenizer\'s vocabulary',
    )
  })
})

describe('encode and decode', () => {
  it('read the text of a special token as that token unless told not to', () => {
    expect([...tokenizer.encode('a<|end|>')]).toContain(0)
    expect([...tokenizer.encode('a<|end|>', { parseSpecial: false })]).not.toContain(0)
    expect([...tokenizer.encode('a<|end|>')]).toContain(0)
  })

  it('leave special tokens out of the text when asked', () => {
    expect(tokenizer.decode(tokenizer.encode('the cat<|end|>'), { skipSpecial: true })).toBe('the cat')
  })

  it('say where each token lies in UTF-16 units', () => {
    const text = 'a🧪 café<|end|>'
    const { ids, offsets } = tokenizer.encodeWithOffsets(text)
    expect(ids).toEqual(tokenizer.encode(text))
    expect(text.slice(offsets.at(-2), offsets.at(-1))).toBe('<|end|>')
    expect(offsets[0]).toBe(0)
  })

  it('give no text to an id beyond the vocabulary and refuse a negative one', () => {
    expect(tokenizer.decode([100_000])).toBe('')
    expect(() => tokenizer.decode([-1])).toThrow('-1 is not a token id')
    expect(() => tokenizer.decode(Int32Array.of(-1))).toThrow('-1 is not a token id')
    expect(() => tokenizer.decode([1.5])).toThrow('1.5 is not a token id')
  })
})

describe('the incremental decoder', () => {
  const push = (tokens: Iterable<number>) => {
    const decoder = tokenizer.decoder()
    const pieces = [...tokens].map((token) => decoder.push(token))
    return { pieces, end: decoder.end() }
  }

  it('gives pieces that make up the text and never split a character', () => {
    const text = 'naïve 日本語 🧪🏳️‍🌈 the cat sat on the mat, 𝄞 and more of the same, ½'.repeat(5)
    const { pieces, end } = push(tokenizer.encode(text))
    expect(pieces.join('') + end).toBe(text)
    expect(end).toBe('')
    for (const piece of pieces) expect(piece).not.toContain('\uFFFD')
  })

  it('gives an unfinished character as a replacement at the end, then starts anew', () => {
    const bytes = tokenizer.encode('日')
    expect(bytes.length).toBe(3)
    const { pieces, end } = push(bytes.slice(0, 2))
    expect(pieces).toEqual(['', ''])
    expect(end).toBe('\uFFFD')
    const decoder = tokenizer.decoder()
    decoder.push(bytes[0] as number)
    decoder.end()
    expect(decoder.push(tokenizer.encode('a')[0] as number)).toBe('a')
  })

  it('keeps up with endless broken bytes', () => {
    const broken = tokenizer.encode('日')[1] as number
    const { pieces, end } = push(Array.from({ length: 2000 }, () => broken))
    expect(pieces.join('') + end).toBe('\uFFFD'.repeat(2000))
  })

  it('gives a replacement character that the model did write', () => {
    const { pieces, end } = push(tokenizer.encode('a\uFFFDb'))
    expect(pieces.join('') + end).toBe('a\uFFFDb')
  })
})

describe('a tokenizer folder', () => {
  it('is read back as it was written', async () => {
    const withTemplate = loadTokenizer({
      tokenizerJson: tokenizer.toJson(),
      eosToken: '<|end|>',
      bosToken: '<|start|>',
      chatTemplate: '{{ messages[0].content }}',
      stopTokenIds: [1],
    })
    await saveTokenizerFolder(withTemplate, directory)
    const read = await loadTokenizerFolder(directory)
    expect(read.toJson()).toBe(tokenizer.toJson())
    expect(read.chatTemplate).toBe(withTemplate.chatTemplate)
    expect([read.bosTokenId, read.eosTokenId, read.stopTokenIds]).toEqual([1, 0, [0, 1]])
  })

  it('names the file and field that is wrong', async () => {
    await expect(loadTokenizerFolder(join(directory, 'none'))).rejects.toThrow('none has no tokenizer.json')
    const broken = await mkdtemp(join(tmpdir(), 'whetstone-text-'))
    await writeFile(join(broken, 'tokenizer.json'), tokenizer.toJson().slice(0, 500))
    await expect(loadTokenizerFolder(broken)).rejects.toThrow(`${broken}: tokenizer.json is not valid`)
    await writeFile(join(broken, 'tokenizer.json'), Buffer.from([0x7b, 0xff, 0xfe]))
    await expect(loadTokenizerFolder(broken)).rejects.toThrow('tokenizer.json is not valid UTF-8')
    await writeFile(join(broken, 'tokenizer.json'), tokenizer.toJson())
    await writeFile(join(broken, 'tokenizer_config.json'), '{"eos_token": 3}')
    await expect(loadTokenizerFolder(broken)).rejects.toThrow('tokenizer_config.json: eos_token')
    await rm(broken, { recursive: true })
  })

  it('survives every truncation of tokenizer.json with an error', async () => {
    const json = await readFile(join(directory, 'tokenizer.json'), 'utf8')
    for (let length = 0; length < json.length - 1; length += 97)
      expect(() => loadTokenizer({ tokenizerJson: json.slice(0, length) })).toThrow(
        'tokenizer.json is not valid',
      )
  })
})

describe('a damaged tokenizer.json', () => {
  it('loads and works or is an error, never more', () => {
    const json = Buffer.from(tokenizer.toJson())
    let state = 1
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    let loaded = 0
    for (let round = 0; round < 300; round++) {
      const damaged = Buffer.from(json)
      for (let change = 0; change <= random(3); change++)
        damaged[random(damaged.length)] = 0x20 + random(0x5f)
      try {
        const survivor = loadTokenizer({ tokenizerJson: damaged.toString() })
        survivor.decode(survivor.encode('the cat sat 日本 <|end|>'))
        loaded++
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
      }
    }
    expect(loaded).toBeGreaterThan(0)
    expect(loaded).toBeLessThan(300)
  })

  it.each([
    [
      'an id beyond 32 bits',
      (data: { model: { vocab: Record<string, number> } }) => (data.model.vocab.a = 2 ** 40),
    ],
    [
      'a merge of tokens it lacks',
      (data: { model: { merges: string[][] } }) => (data.model.merges[0] = ['no', 'such']),
    ],
    ['an unknown model', (data: { model: { type: string } }) => (data.model.type = 'Oracle')],
  ])('is refused for %s', (_, damage) => {
    const data = JSON.parse(tokenizer.toJson())
    damage(data)
    expect(() => loadTokenizer({ tokenizerJson: JSON.stringify(data) })).toThrow(/tokenizer/)
  })
})

describe('the tokenizer of a checkpoint that has none', () => {
  it('says so when text is asked of it', () => {
    const missing = missingTokenizer('a/folder')
    expect(() => missing.encode('x')).toThrow('a/folder has no tokenizer, so')
    expect(() => missing.decode([1])).toThrow('a/folder has no tokenizer, so')
    expect(missing.stopTokenIds).toEqual([])
  })
})
