import type { Tokenizer } from '../text/index.ts'
import type { Sample, SampleRequest } from './model.ts'
import type { NativeModel, NativeSample } from './native-model.ts'
import { type SampleSettings, sampleSettings } from './sample-settings.ts'
import { createSampleStreams } from './sample-streams.ts'
import { firstStop, type TextReader } from './sample-watcher.ts'

let requests = 0

/** Reads the tokens of a model without a tokenizer. */
const WORDLESS: TextReader = {
  decode: () => '',
  decoder: () => ({ push: () => '', pending: () => false, end: () => '' }),
}

/**
 * Draws samples of one prompt from a model of so many tokens. Stop strings are looked for in the decoded text; the sample then ends at
 * the token that completed one. Errors: a setting out of its range, named; what `onToken` throws or rejects with; the reason of a
 * signal that was aborted beforehand.
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
  const streams = createSampleStreams(reader, settings, end)
  const abort = () => end()
  settings.signal?.addEventListener('abort', abort)
  try {
    const drawn = await model.sample(nativeRequest(id, settings), streams?.hear)
    const kept = streams ? await streams.close(drawn) : drawn
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
