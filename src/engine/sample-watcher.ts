import type { Tokenizer } from '../text/index.ts'

/** What turns tokens into text. */
export type TextReader = Pick<Tokenizer, 'decode' | 'decoder'>

/** Follows the text of one sample, token by token. */
export interface SampleWatcher {
  /** The text that a token settles: what can no longer become part of a stop string or of a character. */
  push(token: number): string
  /** Whether a stop string has come. */
  stopped(): boolean
  /** Whether text is held back that the next token, or the end, will settle. */
  pending(): boolean
  /** What was held back; the text ends here. */
  end(): string
}

/** Errors: a tokenizer that cannot decode. */
export function createWatcher(
  reader: TextReader,
  { stopTokens, stopStrings }: { stopTokens: readonly number[]; stopStrings: readonly string[] },
): SampleWatcher {
  const decoder = reader.decoder({ skipSpecial: true })
  const silent = new Set(stopTokens)
  let text = ''
  let told = 0
  let stopped = false
  const settle = (end: number) => {
    const fresh = text.slice(told, end)
    told = Math.max(told, end)
    return fresh
  }
  const stopAt = () => {
    const cut = firstStop(text, stopStrings, told)
    stopped ||= cut !== undefined
    return cut
  }
  return {
    push(token) {
      if (stopped) return ''
      if (!silent.has(token)) text += decoder.push(token)
      return settle(stopAt() ?? text.length - heldBack(text, stopStrings))
    },
    stopped: () => stopped,
    pending: () => !stopped && (told < text.length || decoder.pending()),
    end() {
      if (stopped) return ''
      text += decoder.end()
      return settle(stopAt() ?? text.length)
    },
  }
}

/** Where the first stop string begins, looked for from `start` on. */
export function firstStop(text: string, stops: readonly string[], start = 0): number | undefined {
  const found = stops.map((stop) => text.indexOf(stop, start)).filter((at) => at >= 0)
  return found.length > 0 ? Math.min(...found) : undefined
}

/** Length of the longest end of the text that begins a stop string. */
function heldBack(text: string, stops: readonly string[]): number {
  let held = 0
  for (const stop of stops)
    for (let length = Math.min(stop.length - 1, text.length); length > held; length--)
      if (text.endsWith(stop.slice(0, length))) held = length
  return held
}
