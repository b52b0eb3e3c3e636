import { bootstrapIntervals } from './bootstrap.ts'
import { passAtK } from './pass-at-k.ts'

/** How often one task was tried, and how often with success. */
export interface TaskTally {
  samples: number
  correct: number
}

/** pass@k over a set of tasks: the mean of the tasks' unbiased estimates and its 95 % bootstrap interval over tasks. */
export interface PassAtKEstimate {
  k: number
  value: number
  low: number
  high: number
}

/**
 * pass@k for the given ks, or for every k up to the smallest number of samples of any task.
 * Throws a RangeError when there are no tasks or a k exceeds some task's samples.
 */
export function estimatePassAtK(tallies: TaskTally[], ks?: number[]): PassAtKEstimate[] {
  if (tallies.length === 0) throw new RangeError('estimatePassAtK: there are no tasks')
  const fewest = tallies.reduce((least, tally) => Math.min(least, tally.samples), Number.POSITIVE_INFINITY)
  const chosen = ks ?? Array.from({ length: fewest }, (_, i) => i + 1)
  const columns = chosen.map((k) => tallies.map(({ samples, correct }) => passAtK(samples, correct, k)))
  const intervals = columns.length > 0 ? bootstrapIntervals(columns) : []
  return chosen.map((k, i) => ({
    k,
    value: columns[i]!.reduce((sum, value) => sum + value, 0) / tallies.length,
    low: intervals[i]![0],
    high: intervals[i]![1],
  }))
}
