import type { Tokenizer } from '../text/index.ts'
import type { Sample, SampleRequest } from './model.ts'
import type { NativeModel, NativeSample, NativeToken } from './native-model.ts'
import { type SampleSettings, sampleSettings } from './sample-settings.ts'
import { createWatcher, firstStop } from './sample-watcher.ts'
import { createTokenStream, type TokenStream } from './token-stream.ts'

let requests = 0

type TextReader = Pick<Tokenizer, 'decode' | 'decoder'>

/** Reads the tokens of a model without a tokenizer. */
const WORDLESS: TextReader = {
  decode: () => '',
  decoder: () => ({ push: () => '', pending: () => false, end: () => '' }),
}

/**
 * Draws samples of one prompt from a model of so many tokens. Stop strings are looked for in the decoded text; the sample then ends at
 * the token that completed one. Errors: a setting out of its range, named; what `onToken` throws; the reason of a signal that was
 * aborted beforehand.
 */
export async function drawSamples(
  model: NativeModel,
  tokenizer: Tokenizer,
  vocabulary: number,
  asked: SampleRequest,
): Promise<Sample[]> {
  const settings = sampleSettings(asked, tokenizer.stopTokenIds, vocabulary)
  settings.signal?.throwIfAborted()
  const reader = tokenizer.vocabularySize > 0 || settings.stopStrings.length > 0 ? tokenizer : WORDLESS
  const id = ++requests
  const end = (sample?: number) => void model.abort(id, sample).catch(() => {})
  const streams = createStreams(reader, settings, end)
  const abort = () => end()
  settings.signal?.addEventListener('abort', abort)
  try {
    const drawn = await model.sample(nativeRequest(id, settings), streams?.hear)
    const kept = streams?.close(drawn) ?? drawn
    return kept.map((sample) => finishSample(sample, reader, settings))
  } finally {
    settings.signal?.removeEventListener('abort', abort)
  }
}

function nativeRequest(id: number, settings: SampleSettings) {
  const { prompt, n, firstSample, maxTokens, temperature, topK, topP, minP, seed, topLogprobs } = settings
  return {
    id,
    prompt,
    count: n,
    firstSample,
    maxTokens,
    temperature,
    topK,
    topP,
    minP,
    seed,
    stopTokens: Uint32Array.from(settings.stopTokens),
    biasTokens: settings.bias.tokens,
    biasValues: settings.bias.values,
    topLogprobs,
  }
}

interface Streams {
  hear(token: NativeToken): void
  /** Tells what the engine drew and has not said yet, and the ends of texts; cuts samples at their stop strings. Errors: what a
   *  listener threw. */
  close(drawn: readonly NativeSample[]): NativeSample[]
}

/** The streams of all samples of a request, where somebody listens or stop strings are looked for. */
function createStreams(
  reader: TextReader,
  settings: SampleSettings,
  end: (sample?: number) => void,
): Streams | undefined {
  if (!settings.onToken && settings.stopStrings.length === 0) return undefined
  const streams = Array.from({ length: settings.n }, (_, sample) =>
    createTokenStream(sample, createWatcher(reader, settings), settings.onToken),
  )
  let closed = false
  let failed: { error: unknown } | undefined
  const push = (stream: TokenStream, { sample, token, logprob }: NativeToken) => {
    if (failed || stream.stopped()) return
    try {
      stream.push(token, logprob)
      if (stream.stopped()) end(sample)
    } catch (error) {
      // Nobody catches what is thrown into the engine's callback.
      failed = { error }
      end()
    }
  }
  return {
    hear: (token) => {
      const stream = streams[token.sample]
      if (stream && !closed) push(stream, token)
    },
    close(drawn) {
      // Callbacks and the promise reach the event loop by different ways; what comes late has then been told from here.
      closed = true
      return streams.map((stream, sample) => {
        const { tokens, logprobs, ...rest } = drawn[sample] as NativeSample
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
      })
    },
  }
}

function finishSample(sample: NativeSample, reader: TextReader, settings: SampleSettings): Sample {
  const { topLogprobs, stopTokens, stopStrings } = settings
  const { tokens, logprobs, topTokens, topValues, stopReason } = sample
  const ended = stopTokens.includes(tokens.at(-1) ?? -1)
  const whole = reader.decode(ended ? tokens.subarray(0, -1) : tokens, { skipSpecial: true })
  const top = Array.from({ length: topLogprobs > 0 ? tokens.length : 0 }, (_, position) =>
    Array.from(topTokens.slice(position * topLogprobs, (position + 1) * topLogprobs), (token, rank) => ({
      token,
      logprob: topValues[position * topLogprobs + rank] as number,
    })),
  )
  return {
    text: whole.slice(0, firstStop(whole, stopStrings)),
    promptTokens: settings.prompt,
    tokens,
    logprobs,
    ...(topLogprobs > 0 && { topLogprobs: top }),
    stopReason,
  }
}
