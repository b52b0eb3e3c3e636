import type { ChatMessage, Tokenizer } from '../text/index.ts'
import { promptTokens } from './marked-tokens.ts'

export interface EncodedSteps {
  /** Prompt and steps. Shape: [T]. */
  tokens: Int32Array
  /** The last token of each step. Shape: [steps]. */
  ends: number[]
}

/** What separates steps where nothing else is said: a blank line. */
export const stepSeparator = '\n\n'

/**
 * A prompt and the steps of its answer. Each step is encoded by itself with the separator that ends it (the last one with none), so
 * that no token of a step has seen the next one. Special tokens in a step's text are read as ordinary characters.
 *
 * @throws RangeError for a solution without steps, and for a step without text
 */
export function encodeSteps(
  tokenizer: Tokenizer,
  solution: { prompt: readonly ChatMessage[]; steps: readonly string[] },
  separator: string = stepSeparator,
): EncodedSteps {
  const { prompt, steps } = solution
  if (steps.length === 0) throw new RangeError('a solution has no steps')
  const parts = [promptTokens(tokenizer, { messages: prompt })]
  let length = parts[0]!.length
  const ends = steps.map((step, index) => {
    const text = index + 1 < steps.length ? step + separator : step
    const tokens = tokenizer.encode(text, { parseSpecial: false })
    if (tokens.length === 0) throw new RangeError(`step ${index} of a solution has no text`)
    parts.push(tokens)
    length += tokens.length
    return length - 1
  })
  const tokens = new Int32Array(length)
  let at = 0
  for (const part of parts) {
    tokens.set(part, at)
    at += part.length
  }
  return { tokens, ends }
}

/** The steps of an answer; empty ones count for nothing. */
export function splitSteps(answer: string, separator: string = stepSeparator): string[] {
  return answer.split(separator).filter((step) => step.trim() !== '')
}

/**
 * Where steps end in an answer that a policy sampled, in its own tokens: at each token with which the text written so far ends a
 * separator, and at the answer's last token. No step ends where no text was written since the last one.
 *
 * @param mask [T], 1 on tokens that the policy drew
 */
export function stepEnds(
  tokenizer: Tokenizer,
  tokens: ArrayLike<number>,
  mask: ArrayLike<number>,
  separator: string = stepSeparator,
): number[] {
  const decoder = tokenizer.decoder({ skipSpecial: true })
  const ends: number[] = []
  let [text, last] = ['', -1]
  for (let t = 0; t < tokens.length; t++) {
    if (mask[t] !== 1) continue
    last = t
    text += decoder.push(tokens[t]!)
    const at = text.lastIndexOf(separator)
    if (at < 0) continue
    // A separator within a token ends the step there: what the token adds after it belongs to the next one.
    if (text.slice(0, at).trim() !== '') ends.push(t)
    text = text.slice(at + separator.length)
  }
  if (last >= 0 && (ends.length === 0 || text.trim() !== '')) ends.push(last)
  return ends
}
