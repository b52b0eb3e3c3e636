import { DataError } from '../data/data-error.ts'
import { normalQuantile } from './normal-quantile.ts'
import { type EvalResult, tallyByTask } from './result.ts'
import { signFlipTest } from './sign-flip-test.ts'

/** Two-sided. */
const significance = 0.05
/** The chance to see a difference that is there. */
const power = 0.8
/** Differences of the pass rate for which the number of tasks needed is given. */
const planned = [0.01, 0.02, 0.05, 0.1]

export interface Comparison {
  /** Tasks in both results; the figures below are over these. */
  tasks: number
  /** Mean pass rates (pass@1), and the second minus the first with its 95 % interval. */
  first: number
  second: number
  difference: number
  interval: [number, number]
  /** Of the exact paired sign-flip test. */
  pValue: number
  /** Tasks on which the second did better, and worse. */
  better: number
  worse: number
  conclusion: 'second is better' | 'first is better' | 'no difference shown'
  /** How many tasks like these are needed to see a difference of this size with a chance of 80 %. */
  tasksNeeded: { difference: number; tasks: number }[]
  /** Tasks that only one of the results has. */
  onlyInFirst: string[]
  onlyInSecond: string[]
}

/**
 * Compares two results task by task. Samples of one task are averaged first, so that tasks, not samples, are what is
 * drawn at random. A difference is shown only if the test's p-value is below 0.05 and the interval leaves out 0.
 * Throws a DataError when the tasks' contents differ or no task is in both.
 *
 * @param difference another size of difference to plan for, in (0, 1]
 */
export function compareResults(first: EvalResult, second: EvalResult, difference?: number): Comparison {
  if (first.tasks && second.tasks && first.tasks.sha256 !== second.tasks.sha256) {
    throw new DataError(
      `the results are of different tasks: "${first.tasks.name}" (${first.tasks.sha256.slice(0, 12)}) and ` +
        `"${second.tasks.name}" (${second.tasks.sha256.slice(0, 12)}); evaluate both on the same file`,
    )
  }
  const [tallies, others] = [tallyByTask(first.verdicts), tallyByTask(second.verdicts)]
  const shared = [...tallies.keys()].filter((id) => others.has(id))
  if (shared.length === 0)
    throw new DataError('the results have no task in common; evaluate both on the same tasks')
  const pairs = shared.map((id) => ({ a: tallies.get(id)!, b: others.get(id)! }))
  const denominator = pairs.reduce(
    (common, { a, b }) => leastCommonMultiple(common, leastCommonMultiple(a.samples, b.samples)),
    1,
  )
  const numerators = pairs.map(({ a, b }) =>
    Math.round((b.correct / b.samples - a.correct / a.samples) * denominator),
  )
  const differences = numerators.map((numerator) => numerator / denominator)
  const { interval, deviation } = adjustedInterval(differences)
  const pValue = signFlipTest(numerators, denominator)
  // With one sample a task, a mean difference d needs at least the share d of tasks that only one side passes; the same is
  // assumed where no task differs, since then nothing is known of the spread.
  const isSpreadKnown = denominator > 1 && numerators.some((numerator) => numerator !== 0)
  const mean = average(differences)
  return {
    tasks: shared.length,
    first: average(pairs.map(({ a }) => a.correct / a.samples)),
    second: average(pairs.map(({ b }) => b.correct / b.samples)),
    difference: mean,
    interval,
    pValue,
    better: numerators.filter((numerator) => numerator > 0).length,
    worse: numerators.filter((numerator) => numerator < 0).length,
    conclusion: concludeFrom(mean, interval, pValue),
    tasksNeeded: (difference === undefined ? planned : [difference]).map((size) => ({
      difference: size,
      tasks: tasksNeeded(size, Math.max(deviation, isSpreadKnown ? 0 : Math.sqrt(size * (1 - size)))),
    })),
    onlyInFirst: [...tallies.keys()].filter((id) => !others.has(id)),
    onlyInSecond: [...others.keys()].filter((id) => !tallies.has(id)),
  }
}

/**
 * Tasks needed to see a difference with a two-sided test at 0.05 and a chance of 80 %:
 * `((z(0.975) + z(0.8)) * deviation / difference)^2`, deviation being that of the per-task differences.
 */
export function tasksNeeded(difference: number, deviation: number): number {
  if (!(difference > 0 && difference <= 1))
    throw new RangeError(`the difference must lie in (0, 1], got ${difference}`)
  return Math.ceil(
    (((normalQuantile(1 - significance / 2) + normalQuantile(power)) * deviation) / difference) ** 2,
  )
}

/**
 * The 95 % interval of the mean difference after Agresti and Min (2005): two pseudo-tasks are added, one without a difference
 * and half a task each that the one and the other side wins, so that few tasks or equal results never look certain.
 */
function adjustedInterval(differences: number[]): { interval: [number, number]; deviation: number } {
  const count = differences.length + 2
  const mean = differences.reduce((sum, difference) => sum + difference, 0) / count
  const squares = differences.reduce((sum, difference) => sum + difference * difference, 0) + 1
  const deviation = Math.sqrt(squares / count - mean * mean)
  const margin = (normalQuantile(1 - significance / 2) * deviation) / Math.sqrt(count)
  return { interval: [Math.max(-1, mean - margin), Math.min(1, mean + margin)], deviation }
}

function concludeFrom(mean: number, [low, high]: [number, number], pValue: number): Comparison['conclusion'] {
  if (pValue >= significance || (low <= 0 && high >= 0)) return 'no difference shown'
  return mean > 0 ? 'second is better' : 'first is better'
}

function average(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Capped, because beyond 1e6 the test rounds anyway. */
function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b]
  while (y > 0) [x, y] = [y, x % y]
  return Math.min((a / x) * b, 1e6)
}
