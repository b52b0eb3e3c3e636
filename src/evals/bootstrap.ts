import { seededRandom } from '../data/random.ts'

/** Enough that the ends of a 95 % interval move by about 2 % of its width from seed to seed. */
const resamples = 2000

/**
 * 95 % percentile-bootstrap intervals of the mean, for several columns over the same tasks: tasks are drawn with
 * replacement, the same draw for every column. The draws are seeded, so equal input gives equal intervals.
 *
 * @param columns shape [columns][tasks], at least one task
 * @returns shape [columns], each `[low, high]`
 */
export function bootstrapIntervals(columns: number[][]): [number, number][] {
  const tasks = columns[0]?.length ?? 0
  if (tasks === 0)
    throw new RangeError('bootstrapIntervals: at least one column of at least one task is needed')
  const random = seededRandom('bootstrap', tasks)
  const means = columns.map(() => new Float64Array(resamples))
  const drawn = new Int32Array(tasks)
  for (let resample = 0; resample < resamples; resample++) {
    for (let i = 0; i < tasks; i++) drawn[i] = random.integer(0, tasks - 1)
    for (const [column, values] of columns.entries()) {
      let sum = 0
      for (const task of drawn) sum += values[task]!
      means[column]![resample] = sum / tasks
    }
  }
  return means.map((sample) => {
    sample.sort()
    return [sample[Math.floor(0.025 * resamples)]!, sample[Math.ceil(0.975 * resamples) - 1]!]
  })
}
