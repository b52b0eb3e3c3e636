import type { SampleRequest } from './model.ts'
import type { SampleWatcher } from './sample-watcher.ts'

type OnToken = NonNullable<SampleRequest['onToken']>

/** The tokens of one sample on their way to whoever listens. */
export interface TokenStream {
  push(token: number, logprob: number): void
  /** How many tokens came, up to the one that completed a stop string. */
  heard(): number
  stopped(): boolean
  /** No token comes after those heard: tells what was held back. */
  end(): void
}

/**
 * Tells each token with the text that it settles. One with unsettled text is told together with the next token, or at the end: only
 * then is there a token left that the rest of the text can go with.
 */
export function createTokenStream(sample: number, watcher: SampleWatcher, onToken?: OnToken): TokenStream {
  let heard = 0
  let waiting: Parameters<OnToken>[0] | undefined
  const tell = (rest: string) => {
    const told = waiting
    waiting = undefined
    if (told) onToken?.({ ...told, text: told.text + rest })
  }
  return {
    push(token, logprob) {
      tell('')
      heard++
      waiting = { sample, token, logprob, text: watcher.push(token) }
      if (!watcher.pending()) tell('')
    },
    heard: () => heard,
    stopped: () => watcher.stopped(),
    end: () => tell(watcher.end()),
  }
}
