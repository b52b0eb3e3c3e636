import type { PreferencePair } from '../data/index.ts'
import type { Tokenizer } from '../text/index.ts'
import { encodeAnswer, type MarkedTokens } from './marked-tokens.ts'

export interface PairOptions {
  /** Most tokens of a prompt with an answer, at least 2. */
  maxTokens: number
  /** What becomes of a pair with a longer one: left out and counted, cut at the end and counted, or an error. Default `drop`. */
  overlong?: 'drop' | 'truncate' | 'throw'
}

export interface EncodedPair {
  chosen: MarkedTokens
  rejected: MarkedTokens
  margin: number
}

export interface EncodedPairs {
  pairs: EncodedPair[]
  truncated: number
  dropped: number
  /** The counts in words; empty where both are 0. */
  notes: string[]
}

/**
 * Preference pairs as tokens.
 *
 * @throws RangeError naming the pair that cannot be used, or when none is left
 */
export function encodePairs(
  tokenizer: Tokenizer,
  pairs: readonly PreferencePair[],
  options: PairOptions,
): EncodedPairs {
  const { maxTokens, overlong = 'drop' } = options
  const encoded: EncodedPairs = { pairs: [], truncated: 0, dropped: 0, notes: [] }
  for (const [index, pair] of pairs.entries()) {
    const sides = [pair.chosen, pair.rejected].map((answer) => encodeSide(tokenizer, pair, answer, index))
    const longest = Math.max(...sides.map(({ tokens }) => tokens.length))
    if (longest > maxTokens && overlong === 'throw')
      throw new RangeError(
        `pair ${index} has ${longest} tokens; the most is ${maxTokens}. Raise maxTokens, or set overlong to 'drop' or 'truncate'`,
      )
    const [chosen, rejected] = sides.map(({ tokens, mask }) => ({
      tokens: tokens.slice(0, maxTokens),
      mask: mask.slice(0, maxTokens),
    })) as [MarkedTokens, MarkedTokens]
    const usable = chosen.mask.includes(1) && rejected.mask.includes(1) && !sameTokens(chosen, rejected)
    if (longest > maxTokens && (overlong === 'drop' || !usable)) {
      encoded.dropped++
      continue
    }
    if (!usable) throw new RangeError(`pair ${index}: the answers have no tokens, or the same ones`)
    if (longest > maxTokens) encoded.truncated++
    encoded.pairs.push({ chosen, rejected, margin: pair.margin ?? 0 })
  }
  const { truncated, dropped } = encoded
  if (truncated > 0) encoded.notes.push(`${truncated} of ${pairs.length} pairs cut to ${maxTokens} tokens`)
  if (dropped > 0)
    encoded.notes.push(`${dropped} of ${pairs.length} pairs left out: longer than ${maxTokens} tokens`)
  if (encoded.pairs.length === 0)
    throw new RangeError(
      `none of ${pairs.length} pairs can be trained on; each is longer than ${maxTokens} tokens`,
    )
  return encoded
}

function encodeSide(
  tokenizer: Tokenizer,
  pair: PreferencePair,
  answer: PreferencePair['chosen'],
  index: number,
): MarkedTokens {
  try {
    const tools = pair.tools && { tools: pair.tools }
    return encodeAnswer(tokenizer, { messages: pair.prompt, ...tools }, answer)
  } catch (error) {
    throw new RangeError(`pair ${index}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

function sameTokens(a: MarkedTokens, b: MarkedTokens): boolean {
  return a.tokens.length === b.tokens.length && a.tokens.every((token, t) => token === b.tokens[t])
}
