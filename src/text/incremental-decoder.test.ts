import { describe, expect, it } from 'vitest'
import { loadTokenizer } from './load-tokenizer.ts'
import type { Tokenizer } from './tokenizer.ts'
import { trainTokenizer } from './train-tokenizer.ts'

const ALPHABET = ['a', ' b', 'é', '日', '本', '😀', '👩‍👩‍👧', '½', '<|end|>', ' ']

function createRandom(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

const byteLevel = () => trainTokenizer(['naïve 日本 😀'], { vocabularySize: 280, specialTokens: ['<|end|>'] })

/** As Llama 2's: what the vocabulary lacks is spelt in byte tokens, and the first space of a text is left out. */
function byteFallback(): Tokenizer {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  )
  const vocabulary = ['<unk>', '<|end|>', ...bytes, '▁', 'a', 'b', '▁b']
  const end = {
    id: 1,
    content: '<|end|>',
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }
  const decoders = [
    { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    { type: 'Strip', content: ' ', start: 1, stop: 0 },
  ]
  const model = {
    type: 'BPE',
    unk_token: '<unk>',
    fuse_unk: true,
    byte_fallback: true,
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    merges: [['▁', 'b']],
  }
  const normalizer = { type: 'Replace', pattern: { String: ' ' }, content: '▁' }
  const parts = { added_tokens: [end], normalizer, decoder: { type: 'Sequence', decoders }, model }
  return loadTokenizer({ tokenizerJson: JSON.stringify({ version: '1.0', ...parts }) })
}

function decodedOneByOne(tokenizer: Tokenizer, tokens: Iterable<number>, skipSpecial: boolean) {
  const decoder = tokenizer.decoder({ skipSpecial })
  const pieces = Array.from(tokens, (token) => decoder.push(token))
  const pending = decoder.pending()
  return { pieces, pending, end: decoder.end() }
}

const tokenizers: [string, () => Tokenizer | Promise<Tokenizer>][] = [
  ['byte-level', byteLevel],
  ['byte-fallback', byteFallback],
]

describe.each(tokenizers)('the incremental decoder of a %s tokenizer', (_, make) => {
  it('gives the text of any characters, whole, with nothing left at the end', async () => {
    const tokenizer = await make()
    const random = createRandom(1)
    for (let trial = 0; trial < 300; trial++) {
      const text = Array.from({ length: 1 + random(40) }, () => ALPHABET[random(ALPHABET.length)]).join('')
      const tokens = tokenizer.encode(text)
      for (const skipSpecial of [false, true]) {
        const { pieces, pending, end } = decodedOneByOne(tokenizer, tokens, skipSpecial)
        expect(pieces.join('')).toBe(tokenizer.decode(tokens, { skipSpecial }))
        expect({ pending, end }).toEqual({ pending: false, end: '' })
        for (const piece of pieces) expect(piece.isWellFormed() && !piece.includes('\uFFFD')).toBe(true)
      }
    }
  })

  it('holds a character back until its last byte', async () => {
    const tokenizer = await make()
    const tokens = tokenizer.encode('a日𝄞')
    const { pieces, pending, end } = decodedOneByOne(tokenizer, tokens.subarray(0, -1), false)
    expect(pieces.filter((piece) => piece !== '')).toEqual(['a', '日'])
    expect(pending).toBe(true)
    expect(end).toContain('\uFFFD')
  })
})

describe('the incremental decoder', () => {
  it('gives the text of any bytes of a byte-level tokenizer', async () => {
    const tokenizer = await byteLevel()
    const random = createRandom(2)
    for (let trial = 0; trial < 300; trial++) {
      const tokens = Array.from({ length: random(80) }, () => random(tokenizer.vocabularySize))
      const { pieces, end } = decodedOneByOne(tokenizer, tokens, trial % 2 === 0)
      expect(pieces.join('') + end).toBe(tokenizer.decode(tokens, { skipSpecial: trial % 2 === 0 }))
    }
  })

  it('decodes a bounded number of tokens again, however long a run of bytes is no text', () => {
    const tokenizer = byteFallback()
    const broken = tokenizer.tokenToId('<0xFF>') as number
    const { pieces, end } = decodedOneByOne(
      tokenizer,
      Array.from({ length: 3000 }, () => broken),
      false,
    )
    expect(pieces.join('') + end).toBe('\uFFFD'.repeat(3000))
  })
})
