import { z } from 'zod'
import { EngineError } from './engine-error.ts'
import { LEAST_TEMPERATURE } from './limits.ts'
import type { SampleRequest } from './model.ts'
import { shown } from './shown.ts'
import { tokenIds } from './token-ids.ts'

/** Samples of one request: settling more at once would hold the event loop for a good part of a second. */
const MOST_SAMPLES = 10_000
/** Largest bias, either way: beyond any logit by far, and still finite after tempering. */
const LARGEST_BIAS = 1e30
/** Characters of a stop string: each token's text is compared with every beginning of it. */
const LONGEST_STOP = 1000

const range = (minimum: number, maximum: number) => {
  const error = `must be a number from ${minimum} to ${maximum}`
  return z.number({ error }).min(minimum, { error }).max(maximum, { error })
}
const integer = (minimum: number, maximum: number) => {
  const error = `must be an integer from ${minimum} to ${maximum}`
  return z.int({ error }).min(minimum, { error }).max(maximum, { error })
}
const uint32 = integer(0, 0xffff_ffff)

const stopString = z
  .string({ error: 'must be text' })
  .min(1, { error: 'must not be empty' })
  .max(LONGEST_STOP, { error: `must have at most ${LONGEST_STOP} characters` })

const schema = z.strictObject(
  {
    prompt: z.unknown().optional(),
    n: z
      .int({ error: 'must be an integer' })
      .min(1, { error: 'must be at least 1' })
      .max(MOST_SAMPLES, {
        error: `must be at most ${MOST_SAMPLES}; draw more with further requests and \`firstSample\``,
      })
      .default(1),
    maxTokens: integer(1, 1_000_000).default(256),
    temperature: range(0, 100)
      .refine((value) => value === 0 || value >= LEAST_TEMPERATURE, {
        error: `must be 0 or at least ${LEAST_TEMPERATURE}`,
      })
      .default(1),
    topK: uint32.default(0),
    topP: range(0, 1)
      .refine((value) => Math.fround(value) > 0, { error: 'must be above 0' })
      .default(1),
    minP: range(0, 1).default(0),
    seed: integer(0, Number.MAX_SAFE_INTEGER).default(0),
    firstSample: uint32.default(0),
    stopTokens: z.array(uint32, { error: 'must be an array of token ids' }).readonly(),
    stopStrings: z.array(stopString, { error: 'must be an array of texts' }).readonly().default([]),
    logitBias: z
      .record(z.string(), range(-LARGEST_BIAS, LARGEST_BIAS), { error: 'must be an object of token ids' })
      .default({}),
    topLogprobs: integer(0, 1000).default(0),
    onToken: z
      .custom<SampleRequest['onToken']>((value) => typeof value === 'function', {
        error: 'must be a function',
      })
      .optional(),
    signal: z
      .custom<AbortSignal>((value) => value instanceof AbortSignal, { error: 'must be an AbortSignal' })
      .optional(),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `no setting is named ${issue.keys?.join(', ')}; there are ${known().join(', ')}`
        : 'must be an object',
  },
)

function known(): string[] {
  return Object.keys(schema.shape)
}

/** A request with every setting in its range, token ids below the vocabulary. */
export interface SampleSettings extends Omit<z.output<typeof schema>, 'prompt' | 'logitBias'> {
  prompt: Int32Array
  bias: { tokens: Uint32Array; values: Float32Array }
}

/** Reads a request. Errors: a setting that is unknown or out of its range, named with its value; a prompt that holds no token ids. */
export function sampleSettings(
  asked: SampleRequest,
  stopTokens: readonly number[],
  vocabulary: number,
): SampleSettings {
  const defaults = asked?.stopTokens === undefined ? { ...asked, stopTokens } : asked
  const parsed = schema.safeParse(defaults)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const path = issue?.path ?? []
    const value = path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown>)[key], defaults)
    const name = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')
    throw new EngineError(
      path.length > 0
        ? `sample: ${name.slice(1)} is ${shown(value)}; it ${issue?.message}`
        : `sample: ${issue?.message}`,
    )
  }
  const { prompt, logitBias, ...settings } = parsed.data
  return {
    ...settings,
    topLogprobs: Math.min(settings.topLogprobs, vocabulary),
    prompt: tokenIds(prompt, 'sample: prompt', vocabulary),
    bias: {
      tokens: Uint32Array.from(Object.keys(logitBias), (key) => biasToken(key, vocabulary)),
      values: Float32Array.from(Object.values(logitBias)),
    },
  }
}

function biasToken(key: string, vocabulary: number): number {
  const token = /^\d{1,10}$/.test(key) ? Number(key) : vocabulary
  if (token < vocabulary) return token
  throw new EngineError(
    `sample: logitBias has the key ${JSON.stringify(key)}; its keys are token ids from 0 to ${vocabulary - 1}`,
  )
}
