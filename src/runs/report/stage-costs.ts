import type { StageHistory } from './history.ts'

export interface StageCosts {
  name: string
  steps: number
  /** Of all its steps. */
  seconds: number
  /** Tokens that went through the model, where the stage counts them. */
  tokens?: number
  /** Most memory of the process after a step. */
  peakBytes?: number
  /** First and last of the metrics that tell most. */
  changes: { metric: string; first: number; last: number }[]
  warnings: { step: number; text: string }[]
}

const TELLING = [/^reward$/, /^(pass|accuracy)/, /^loss$/]

export function stageCosts({ name, steps, timing }: StageHistory): StageCosts {
  const times = [...timing.values()]
  const tokens = steps.reduce((sum, { metrics }) => sum + (metrics.tokens ?? 0), 0)
  const names = Object.keys(steps.at(-1)?.metrics ?? {})
  const metrics = TELLING.flatMap((telling) => names.find((metric) => telling.test(metric)) ?? []).slice(0, 2)
  const tenth = Math.max(1, Math.floor(steps.length / 10))
  const mean = (part: typeof steps, metric: string) =>
    part.reduce((sum, line) => sum + (line.metrics[metric] ?? 0), 0) / part.length
  return {
    name,
    steps: steps.length,
    seconds: times.reduce((sum, { seconds }) => sum + (seconds.step ?? 0), 0),
    ...(tokens > 0 && { tokens }),
    ...(times.length > 0 && { peakBytes: times.reduce((most, { rss }) => Math.max(most, rss ?? 0), 0) }),
    changes: metrics.map((metric) => ({
      metric,
      first: mean(steps.slice(0, tenth), metric),
      last: mean(steps.slice(-tenth), metric),
    })),
    warnings: steps.flatMap(({ step, warnings = [] }) => warnings.map((text) => ({ step, text }))),
  }
}
