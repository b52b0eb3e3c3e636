import { z } from 'zod'

/** When to warn. A warning is given when its condition begins, and again only after it had ended. */
export interface WarningOptions {
  /** The evaluation's metric that should rise with the reward. Default: `evaluate.best.metric` where it is to grow, else the first whose name begins with `pass`. */
  heldOut?: string
  /** Steps over which beginning and present are averaged. Default 5. */
  window?: number
  /** Mean length against that of the first window: warn at this factor and at its inverse. Default 2. */
  lengthFactor?: number
  /** Warn when the sampled entropy is below this share of that of the first window. Default 0.2. */
  entropyShare?: number
  /** Largest share of samples that end at their token limit. Default 0.25. */
  truncated?: number
  /** Largest share of repeated phrases of eight tokens. Default 0.3. */
  repetition?: number
  /** Largest mean KL to the reference, in nats a token. Default 0.5. */
  kl?: number
  /** Largest share of groups without spread. Default 0.5. */
  zeroSpread?: number
}

const share = z.number().min(0).max(1).optional()
export const warningsSchema = z
  .union([
    z.literal(false),
    z.strictObject({
      heldOut: z.string().min(1).optional(),
      window: z.int().min(1).optional(),
      lengthFactor: z.number().gt(1).optional(),
      entropyShare: share,
      truncated: share,
      repetition: share,
      kl: z.number().min(0).optional(),
      zeroSpread: share,
    }),
  ])
  .optional()

export interface Warnings {
  /** What there is to say after a step with these metrics. */
  afterStep(metrics: Record<string, number>): string[]
  /** The same after a measurement on held-out tasks. */
  afterEvaluation(measured: Record<string, number>): string[]
  save(): unknown
  load(saved: unknown): void
}

interface History {
  /** Of each watched metric, by name: the first and the latest window. */
  first: Record<string, number[]>
  latest: Record<string, number[]>
  /** Mean reward of the latest window, and the held-out metric, at each measurement. */
  heldOut: { reward: number; value: number }[]
  active: string[]
}

/** What a practitioner would want to be told while a policy trains, with a memory that outlives the process. */
export function createWarnings(options: WarningOptions = {}): Warnings {
  const { window = 5, lengthFactor = 2, entropyShare = 0.2 } = options
  const largest = { truncated: 0.25, repetition: 0.3, kl: 0.5, zeroSpread: 0.5, ...options }
  let history: History = { first: {}, latest: {}, heldOut: [], active: [] }

  const remember = (metric: string, value: number) => {
    const { first, latest } = history
    first[metric] ??= []
    if (first[metric].length < window) first[metric].push(value)
    latest[metric] = [...(latest[metric] ?? []), value].slice(-window)
  }
  const means = (metric: string) => {
    const [first, latest] = [history.first[metric] ?? [], history.latest[metric] ?? []]
    return first.length < window ? undefined : { before: mean(first), now: mean(latest) }
  }
  /** Warnings whose condition has just begun. */
  const begun = (conditions: Record<string, string | false>) => {
    const names = Object.keys(conditions).filter((name) => conditions[name])
    const news = names.filter((name) => !history.active.includes(name))
    const untouched = history.active.filter((name) => !(name in conditions))
    history.active = [...untouched, ...names]
    return news.map((name) => conditions[name] as string)
  }

  return {
    afterStep(metrics) {
      for (const metric of ['reward', 'length', 'entropy'])
        if (metrics[metric] !== undefined) remember(metric, metrics[metric])
      const [length, entropy] = [means('length'), means('entropy')]
      const above = (metric: keyof typeof largest, say: (value: number, bound: number) => string) => {
        const [value, bound] = [metrics[metric] ?? 0, largest[metric] as number]
        return value > bound && say(value, bound)
      }
      return begun({
        length:
          length !== undefined &&
          (length.now > length.before * lengthFactor || length.now < length.before / lengthFactor) &&
          `length drift: answers have ${length.now.toFixed(1)} tokens on average, at first ${length.before.toFixed(1)}`,
        entropy:
          entropy !== undefined &&
          entropy.now < entropy.before * entropyShare &&
          `entropy collapse: ${entropy.now.toFixed(3)} nats a token, at first ${entropy.before.toFixed(3)}; the policy no longer explores`,
        truncated: above(
          'truncated',
          (value, bound) =>
            `${percent(value)} of the samples end at their token limit (bound ${percent(bound)})`,
        ),
        repetition: above(
          'repetition',
          (value, bound) =>
            `repetition: ${percent(value)} of the phrases were there before (bound ${percent(bound)})`,
        ),
        kl: above(
          'kl',
          (value, bound) => `the KL to the reference is ${value.toFixed(3)} nats a token (bound ${bound})`,
        ),
        zeroSpread: above(
          'zeroSpread',
          (value, bound) =>
            `${percent(value)} of the groups have rewards without spread and teach nothing (bound ${percent(bound)}); choose tasks of other difficulty, or resample`,
        ),
      })
    },
    afterEvaluation(measured) {
      const metric = options.heldOut ?? Object.keys(measured).find((name) => name.startsWith('pass'))
      const value = metric === undefined ? undefined : measured[metric]
      const reward = history.latest.reward
      if (value === undefined || reward === undefined) return []
      const now = { reward: mean(reward), value }
      const best = history.heldOut.reduce<{ reward: number; value: number } | undefined>(
        (top, one) => (top === undefined || one.value > top.value ? one : top),
        undefined,
      )
      history.heldOut.push(now)
      const fallen = best !== undefined && now.reward > best.reward && now.value < best.value
      return begun({
        heldOut:
          fallen &&
          `the reward rose from ${best.reward.toFixed(3)} to ${now.reward.toFixed(3)} while ${metric} on held-out tasks fell from ${best.value.toFixed(3)} to ${now.value.toFixed(3)}: look for a hack of the reward`,
      })
    },
    save: () => history,
    load(saved) {
      history = structuredClone(saved as History)
    },
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`
}
