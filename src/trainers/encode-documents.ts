import { seededRandom } from '../data/index.ts'
import { hideTokens, type MaskedExample } from '../losses/index.ts'
import type { Tokenizer } from '../text/index.ts'

export interface MaskedLanguage {
  /** The text of the token that stands for a hidden one. */
  maskToken: string
  /** Shares: `rate` of tokens hidden (0.15), of those `maskShare` masked (0.8), `randomShare` random (0.1), the rest as they are. */
  hiding?: { rate?: number; maskShare?: number; randomShare?: number }
}

/**
 * A document as examples of next-token prediction: with the tokenizer's marks of beginning and end where it has them, and cut
 * into windows of `context` tokens where it is longer. Every token but the first is asked for once. No examples where there is no
 * next token. Special tokens in the text are read as ordinary characters.
 */
export function encodeDocument(tokenizer: Tokenizer, text: string, context: number): MaskedExample[] {
  const tokens = documentTokens(tokenizer, text)
  const examples: MaskedExample[] = []
  for (let from = 0; from + 1 < tokens.length; from += context) {
    const input = tokens.slice(from, Math.min(from + context, tokens.length - 1))
    const target = tokens.slice(from + 1, from + 1 + input.length)
    examples.push({ sequences: [{ input, target }], masks: [new Uint8Array(input.length).fill(1)] })
  }
  return examples
}

/** As `encodeDocument`, but the windows of tokens themselves; those without a token that may be hidden are left out. */
export function documentWindows(tokenizer: Tokenizer, text: string, context: number): Int32Array[] {
  const tokens = documentTokens(tokenizer, text)
  const special = new Set(tokenizer.specialTokenIds)
  const windows: Int32Array[] = []
  for (let from = 0; from < tokens.length; from += context) {
    const window = tokens.slice(from, from + context)
    if (window.some((token) => !special.has(token))) windows.push(window)
  }
  return windows
}

/**
 * A window as an example of masked language modelling, seen in both directions. Where chance hides no token, one is hidden all the
 * same, so that a short window trains too.
 *
 * @param random uniform in [0, 1), seeded by the caller
 * @throws RangeError when the vocabulary has no such mask token
 */
export function hideInWindow(
  tokenizer: Tokenizer,
  window: Int32Array,
  { maskToken, hiding = {} }: MaskedLanguage,
  random: () => number,
): MaskedExample {
  const id = tokenizer.tokenToId(maskToken)
  if (id === undefined)
    throw new RangeError(
      `maskToken: ${JSON.stringify(maskToken)} is not in the vocabulary; add it to the tokenizer's special tokens`,
    )
  const special = new Set(tokenizer.specialTokenIds)
  const hideable = Uint8Array.from(window, (token) => (special.has(token) ? 0 : 1))
  const vocabulary = { size: tokenizer.vocabularySize, maskToken: id }
  let hidden = hideTokens(window, hideable, vocabulary, random, hiding)
  if (!hidden.mask.includes(1)) {
    const places = [...window.keys()].filter((t) => hideable[t] === 1)
    const only = new Uint8Array(window.length)
    only[places[Math.floor(random() * places.length)]!] = 1
    hidden = hideTokens(window, only, vocabulary, random, { ...hiding, rate: 1 })
  }
  const { input, mask } = hidden
  const target = window.map((token, t) => (mask[t] === 1 ? token : -1))
  return { sequences: [{ input, target, attention: 'bidirectional' }], masks: [mask] }
}

/** A document with hidden tokens, for measuring: the same seed hides the same ones. */
export function encodeMaskedDocument(
  tokenizer: Tokenizer,
  text: string,
  context: number,
  language: MaskedLanguage,
  seed = 0,
): MaskedExample[] {
  return documentWindows(tokenizer, text, context).map((window, place) =>
    hideInWindow(tokenizer, window, language, seededRandom(seed, 'hide', place).next),
  )
}

function documentTokens(tokenizer: Tokenizer, text: string): Int32Array {
  const { bosTokenId, eosTokenId } = tokenizer
  const begin = bosTokenId === undefined ? [] : [bosTokenId]
  const end = eosTokenId === undefined ? [] : [eosTokenId]
  const words = tokenizer.encode(text, { parseSpecial: false })
  const tokens = new Int32Array(begin.length + words.length + end.length)
  tokens.set(begin, 0)
  tokens.set(words, begin.length)
  tokens.set(end, begin.length + words.length)
  return tokens
}
