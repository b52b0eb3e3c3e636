import { checkToken } from './check-arguments.ts'

/** Turns tokens into text as they come, never splitting a character. */
export interface IncrementalDecoder {
  /** The text that this token completes; empty while a character is unfinished. Errors: what is no token id; it changes nothing. */
  push(token: number): string
  /** Whether an unfinished character is held back. */
  pending(): boolean
  /** What was held back, an unfinished character as U+FFFD; the decoder is then as new. */
  end(): string
}

const REPLACEMENT = '\uFFFD'
/** Bytes of one UTF-8 character that may still be waiting for the last: some decoders show each as U+FFFD. */
const LONGEST_UNFINISHED = 3
/** Tokens decoded again with each new one: enough for a whole character of single-byte tokens and what precedes it. */
const CONTEXT_TOKENS = 8

/**
 * An incremental decoder over any `decode`. It decodes a short window of the latest tokens and gives out what grew, since
 * decoders treat a token differently at the start of a text. A tail of U+FFFD is held back until it is complete.
 */
export function incrementalDecoder(decode: (tokens: Int32Array) => string): IncrementalDecoder {
  let window: number[] = []
  let given = 0
  let held = 0
  return {
    push(token) {
      window.push(checkToken(token))
      const text = decode(Int32Array.from(window))
      const settled = text.length - unfinishedTail(text)
      const fresh = text.slice(given, settled)
      given = Math.max(given, settled)
      held = text.length - given
      if (window.length > 2 * CONTEXT_TOKENS) {
        window = window.slice(-CONTEXT_TOKENS)
        given = decode(Int32Array.from(window)).length - held
      }
      return fresh
    },
    pending: () => held > 0,
    end() {
      const rest = decode(Int32Array.from(window)).slice(given)
      window = []
      given = 0
      held = 0
      return rest
    },
  }
}

function unfinishedTail(text: string): number {
  let tail = 0
  while (tail < LONGEST_UNFINISHED && text.at(-1 - tail) === REPLACEMENT) tail++
  return tail
}
