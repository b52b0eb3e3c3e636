import { z } from 'zod'
import { combineMetrics } from '../losses/index.ts'
import { epochsSchema, shuffled } from './batches.ts'
import type { TrainStepOutcome } from './train-step.ts'

export interface Passes {
  /** How often each row of a step is trained on. Default 1. */
  epochs?: number
  /** Updates that an epoch is cut into, at most one a row. Default 1. */
  minibatches?: number
}

export const passesSchemas = {
  epochs: epochsSchema,
  minibatches: z.int().min(1).optional(),
}

/**
 * The rows of each update of a step, by number. Which rows come together follows from the seed; within an update they stay in order, so that
 * rows that share a beginning stay side by side.
 */
export function minibatchesOf(rows: number, passes: Passes, seed: readonly (string | number)[]): number[][] {
  const { epochs = 1, minibatches = 1 } = passes
  const parts = Math.min(minibatches, rows)
  return Array.from({ length: epochs }, (_, epoch) => {
    const order = shuffled(rows, [...seed, epoch])
    return Array.from({ length: parts }, (_, part) => {
      const [from, to] = [part, part + 1].map((edge) => Math.floor((edge * rows) / parts))
      return order.slice(from, to).sort((a, b) => a - b)
    })
  }).flat()
}

/** What several updates of one model came to: tokens and seconds add up, extremes stay extremes, all else is the mean. */
export function combineUpdates(outcomes: readonly TrainStepOutcome[]): TrainStepOutcome {
  const summed = combineMetrics(outcomes.map(({ metrics }) => metrics))
  const metrics = Object.fromEntries(
    Object.entries(summed).map(([name, value]) =>
      /Min$|Max$|^tokens$/.test(name) ? [name, value] : [name, value / outcomes.length],
    ),
  )
  const total = (part: 'forwardBackward' | 'optimStep') =>
    outcomes.reduce((sum, { seconds }) => sum + seconds[part], 0)
  return {
    metrics,
    seconds: { forwardBackward: total('forwardBackward'), optimStep: total('optimStep') },
  }
}
