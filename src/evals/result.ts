import { z } from 'zod'
import { DataError } from '../data/data-error.ts'
import type { Judged } from './judge-samples.ts'
import { estimatePassAtK } from './pass-at-k-estimates.ts'

const fraction = z.number().min(0).max(1)

/**
 * A result file: what `whetstone eval --json` prints and `whetstone compare` reads. `passAtK` and its 95 % intervals
 * are keyed by k; `counts` says how many samples ended for each reason.
 */
export const evalResultSchema = z.object({
  verdicts: z
    .array(z.object({ task_id: z.string().min(1), passed: z.boolean(), reason: z.string().min(1) }))
    .min(1, 'a result needs at least one verdict'),
  passAtK: z.record(z.string().regex(/^[1-9]\d*$/), fraction),
  passAtKIntervals: z.record(z.string(), z.tuple([fraction, fraction])).optional(),
  counts: z.record(z.string(), z.int().min(0)).optional(),
  tasks: z.object({ name: z.string(), total: z.int(), attempted: z.int(), sha256: z.string() }).optional(),
  source: z.record(z.string(), z.unknown()).optional(),
  quality: z.record(z.string(), z.unknown()).optional(),
})

export type EvalResult = z.output<typeof evalResultSchema>

/** The figures of a set of verdicts. `ks` as in `estimatePassAtK`. */
export function summariseVerdicts(verdicts: Judged[], ks?: number[]) {
  const estimates = estimatePassAtK([...tallyByTask(verdicts).values()], ks)
  return {
    verdicts,
    passAtK: Object.fromEntries(estimates.map(({ k, value }) => [k, value])),
    passAtKIntervals: Object.fromEntries(
      estimates.map(({ k, low, high }) => [k, [low, high] as [number, number]]),
    ),
    counts: countReasons(verdicts),
  }
}

/** Samples and successes of each task, tasks in order of their first verdict. */
export function tallyByTask(verdicts: { task_id: string; passed: boolean }[]) {
  const tallies = new Map<string, { samples: number; correct: number }>()
  for (const { task_id, passed } of verdicts) {
    const tally = tallies.get(task_id) ?? { samples: 0, correct: 0 }
    tally.samples += 1
    if (passed) tally.correct += 1
    tallies.set(task_id, tally)
  }
  return tallies
}

/** How many verdicts there are for each reason, most frequent first. */
export function countReasons(verdicts: { reason: string }[]): Record<string, number> {
  const counts = new Map<string, number>()
  for (const { reason } of verdicts) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return Object.fromEntries([...counts].sort(([a, x], [b, y]) => y - x || a.localeCompare(b)))
}

/** The result in the text of a file. Throws a DataError that names the path and the first wrong field. */
export function parseEvalResult(text: string, path: string): EvalResult {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new DataError(
      `${path}: not JSON (${(error as Error).message}); give a file that "whetstone eval --json" wrote`,
    )
  }
  const result = evalResultSchema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  throw new DataError(
    `${path}: not a result of "whetstone eval": ${issue.path.join('.') || 'the file'}: ${issue.message}`,
  )
}
