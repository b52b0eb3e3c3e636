import { z } from 'zod'
import type { IncrementalDecoder, Tokenizer } from '../text/index.ts'
import { EngineError } from './engine-error.ts'
import type { Sample, SampleRequest } from './model.ts'
import type { NativeModel, NativeSample } from './native-model.ts'

const count = (maximum: number) => z.int().min(1).max(maximum)
const share = z.number().min(0).max(1)
const uint32 = z.int().min(0).max(0xffff_ffff)

const request = z.object({
  n: count(1_000_000).default(1),
  maxTokens: count(1_000_000).default(256),
  temperature: z.number().min(0).max(100).default(1),
  topK: uint32.default(0),
  topP: share.refine((p) => p > 0, 'must be above 0').default(1),
  minP: share.default(0),
  seed: z.int().min(0).default(0),
  firstSample: uint32.default(0),
  topLogprobs: z.int().min(0).max(1000).default(0),
  stopTokens: z.array(uint32).readonly(),
  stopStrings: z.array(z.string().min(1, 'must not be empty')).readonly().default([]),
  logitBias: z.record(z.string(), z.number()).default({}),
})

let requests = 0

/**
 * Draws samples of one prompt. Stop strings are looked for in the decoded text; the sample then ends at the token that
 * completed one. Errors: a setting out of its range, named.
 */
export async function drawSamples(
  model: NativeModel,
  tokenizer: Tokenizer,
  asked: SampleRequest,
): Promise<Sample[]> {
  const parsed = request.safeParse({ ...asked, stopTokens: asked.stopTokens ?? tokenizer.stopTokenIds })
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new EngineError(`sample: ${issue?.path.join('.')}: ${issue?.message}`)
  }
  const settings = parsed.data
  const prompt = Int32Array.from(asked.prompt)
  const id = ++requests
  const watch = settings.stopStrings.length > 0 || asked.onToken
  const watchers = watch ? Array.from({ length: settings.n }, () => createWatcher(tokenizer, settings)) : []
  const onToken = watch
    ? ({ sample, token, logprob }: { sample: number; token: number; logprob: number }) => {
        const watcher = watchers[sample]
        if (!watcher || watcher.stopped()) return
        const text = watcher.push(token)
        asked.onToken?.({ sample, token, logprob, text })
        if (watcher.stopped()) void model.abort(id, sample)
      }
    : undefined
  const abort = () => void model.abort(id)
  if (asked.signal?.aborted) asked.signal.throwIfAborted()
  asked.signal?.addEventListener('abort', abort)
  try {
    const drawn = await model.sample(
      {
        id,
        prompt,
        count: settings.n,
        firstSample: settings.firstSample,
        maxTokens: settings.maxTokens,
        temperature: settings.temperature,
        topK: settings.topK,
        topP: settings.topP,
        minP: settings.minP,
        seed: settings.seed,
        stopTokens: Uint32Array.from(settings.stopTokens),
        biasTokens: Uint32Array.from(Object.keys(settings.logitBias), Number),
        biasValues: Float32Array.from(Object.values(settings.logitBias)),
        topLogprobs: settings.topLogprobs,
      },
      onToken,
    )
    return drawn.map((sample) => finishSample(sample, prompt, tokenizer, settings))
  } finally {
    asked.signal?.removeEventListener('abort', abort)
  }
}

type Settings = z.infer<typeof request>

interface Watcher {
  /** The text that a token adds and that cannot become part of a stop string. */
  push(token: number): string
  stopped(): boolean
}

function createWatcher(tokenizer: Tokenizer, settings: Settings): Watcher {
  const decoder: IncrementalDecoder = tokenizer.decoder({ skipSpecial: true })
  const stopTokens = new Set(settings.stopTokens)
  let text = ''
  let told = 0
  let stopped = false
  return {
    push(token) {
      if (!stopTokens.has(token)) text += decoder.push(token)
      const cut = firstStop(text, settings.stopStrings)
      stopped ||= cut !== undefined
      const safe = cut ?? text.length - heldBack(text, settings.stopStrings)
      const fresh = text.slice(told, Math.max(safe, told))
      told = Math.max(safe, told)
      return fresh
    },
    stopped: () => stopped,
  }
}

/** Where the first stop string begins. */
function firstStop(text: string, stops: readonly string[]): number | undefined {
  const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
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

function finishSample(
  sample: NativeSample,
  prompt: Int32Array,
  tokenizer: Tokenizer,
  settings: Settings,
): Sample {
  const { length, stopped } = cutAtStop(sample.tokens, tokenizer, settings)
  const tokens = sample.tokens.slice(0, length)
  const last = tokens.at(-1)
  const ended = last !== undefined && settings.stopTokens.includes(last)
  const whole = tokenizer.decode(ended ? tokens.subarray(0, -1) : tokens, { skipSpecial: true })
  const { topLogprobs } = settings
  const top = Array.from({ length: topLogprobs > 0 ? length : 0 }, (_, position) =>
    Array.from(
      sample.topTokens.slice(position * topLogprobs, (position + 1) * topLogprobs),
      (token, rank) => ({
        token,
        logprob: sample.topValues[position * topLogprobs + rank] as number,
      }),
    ),
  )
  return {
    text: whole.slice(0, firstStop(whole, settings.stopStrings) ?? whole.length),
    promptTokens: prompt,
    tokens,
    logprobs: sample.logprobs.slice(0, length),
    ...(topLogprobs > 0 && { topLogprobs: top }),
    stopReason: stopped ? 'stop' : sample.stopReason,
  }
}

/** Tokens up to the one that completed a stop string: how many more were drawn before the abort is chance. */
function cutAtStop(
  tokens: Int32Array,
  tokenizer: Tokenizer,
  settings: Settings,
): { length: number; stopped: boolean } {
  if (settings.stopStrings.length === 0) return { length: tokens.length, stopped: false }
  const watcher = createWatcher(tokenizer, settings)
  for (const [index, token] of tokens.entries()) {
    watcher.push(token)
    if (watcher.stopped()) return { length: index + 1, stopped: true }
  }
  return { length: tokens.length, stopped: false }
}
