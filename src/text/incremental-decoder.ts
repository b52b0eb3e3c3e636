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
/** Bytes of one UTF-8 character that may still be waiting for the last. */
const LONGEST_UNFINISHED = 3
/** Tokens decoded again with each new one: enough for a whole character of single-byte tokens and what precedes it. */
const CONTEXT_TOKENS = 8
/** A window this long without a whole character at its end holds bytes that are no text, and never will be. */
const HOPELESS_TOKENS = 4 * CONTEXT_TOKENS

/**
 * An incremental decoder over any `decode`. It decodes a short window of the latest tokens and gives out what grew, since
 * decoders treat a token differently at the start of a text. A tail of U+FFFD is held back until it is complete: with byte fallback
 * (Llama 2's tokenizer and others) a whole run of byte tokens shows as U+FFFD while its last character is unfinished. Where such a run
 * turns out to be no UTF-8, its whole characters have been given already, while `decode` of all tokens has U+FFFD for every byte.
 */
export function incrementalDecoder(decode: (tokens: Int32Array) => string): IncrementalDecoder {
  let window: number[] = []
  /** Lengths of the window's beginnings at which nothing was held back: there a character begins. */
  let whole: number[] = []
  let given = 0
  let held = 0
  const shorten = () => {
    const earliest = window.length - CONTEXT_TOKENS
    const from = held > 0 ? earliest : whole.find((at) => at >= earliest && at < window.length)
    if (from === undefined) return
    const kept = window.slice(from)
    const { length } = decode(Int32Array.from(kept))
    // After special tokens alone, which have no text, the next would be decoded as the first of a text.
    if (length === 0 && window.length < HOPELESS_TOKENS) return
    window = kept
    whole = whole.filter((at) => at > from).map((at) => at - from)
    given = Math.max(0, length - held)
  }
  return {
    push(token) {
      window.push(checkToken(token))
      const text = decode(Int32Array.from(window))
      const hopeless = window.length >= HOPELESS_TOKENS
      const settled = text.length - unfinishedTail(text, hopeless ? LONGEST_UNFINISHED : text.length)
      const fresh = text.slice(given, settled)
      given = Math.max(given, settled)
      held = Math.max(0, text.length - given)
      if (held === 0) whole.push(window.length)
      if (hopeless || (held === 0 && window.length > 2 * CONTEXT_TOKENS)) shorten()
      return fresh
    },
    pending: () => held > 0,
    end() {
      const rest = decode(Int32Array.from(window)).slice(given)
      window = []
      whole = []
      given = 0
      held = 0
      return rest
    },
  }
}

function unfinishedTail(text: string, most: number): number {
  let tail = 0
  while (tail < most && text.at(-1 - tail) === REPLACEMENT) tail++
  return tail
}
