import type { NativeSample, NativeToken } from './native-model.ts'
import type { SampleSettings } from './sample-settings.ts'
import { createWatcher, type TextReader } from './sample-watcher.ts'
import { createTokenStream, type TokenStream } from './token-stream.ts'

/** What a request's samples say while they are drawn. */
export interface SampleStreams {
  hear(token: NativeToken): void
  /** Tells what the engine drew and has not said yet, and the ends of texts; cuts samples at their stop strings. Errors: what a
   *  listener threw or rejected with. */
  close(drawn: readonly NativeSample[]): Promise<NativeSample[]>
}

/** The streams of a request where somebody listens or stop strings are looked for; `end` aborts one sample, or all. */
export function createSampleStreams(
  reader: TextReader,
  settings: SampleSettings,
  end: (sample?: number) => void,
): SampleStreams | undefined {
  if (!settings.onToken && settings.stopStrings.length === 0) return undefined
  let closed = false
  let failed: { error: unknown } | undefined
  const fail = (error: unknown) => {
    failed ??= { error }
    end()
  }
  const listener = settings.onToken && createListener(settings.onToken, fail)
  const streams = Array.from({ length: settings.n }, (_, sample) =>
    createTokenStream(sample, createWatcher(reader, settings), listener?.tell),
  )
  const push = (stream: TokenStream, { sample, token, logprob }: NativeToken) => {
    if (failed || stream.stopped()) return
    try {
      stream.push(token, logprob)
      if (stream.stopped()) end(sample)
    } catch (error) {
      // Nobody catches what is thrown into the engine's callback.
      fail(error)
    }
  }
  /** Callbacks and the promise reach the event loop by different ways; what comes late is then told from here. */
  const finish = (stream: TokenStream, sample: number, { tokens, logprobs, ...rest }: NativeSample) => {
    for (let at = stream.heard(); at < tokens.length && !stream.stopped() && !failed; at++)
      push(stream, { sample, token: tokens[at] as number, logprob: logprobs[at] as number })
    if (failed) throw failed.error
    stream.end()
    const length = stream.heard()
    return {
      ...rest,
      tokens: tokens.slice(0, length),
      logprobs: logprobs.slice(0, length),
      stopReason: stream.stopped() ? 'stop' : rest.stopReason,
    }
  }
  return {
    hear(token) {
      const stream = streams[token.sample]
      if (stream && !closed) push(stream, token)
    },
    async close(drawn) {
      closed = true
      const kept = streams.map((stream, sample) => finish(stream, sample, drawn[sample] as NativeSample))
      await listener?.settled()
      if (failed) throw failed.error
      return kept
    },
  }
}

type OnToken = NonNullable<SampleSettings['onToken']>

/** A listener whose promises are followed: nobody else would hear that one is rejected. */
function createListener(onToken: OnToken, fail: (error: unknown) => void) {
  const pending = new Set<Promise<void>>()
  return {
    tell(said: Parameters<OnToken>[0]): void {
      const result: unknown = onToken(said)
      if (!(result instanceof Promise)) return
      const done = result.catch(fail).finally(() => pending.delete(done))
      pending.add(done)
    },
    settled: () => Promise.all(pending),
  }
}
