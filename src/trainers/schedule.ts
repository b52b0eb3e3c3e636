import { z } from 'zod'

export interface Schedule {
  /** How the learning rate goes on after warm-up: as it is, down a line, or down half a cosine. Default `constant`. */
  schedule?: 'constant' | 'linear' | 'cosine'
  /** Steps over which the learning rate climbs to its full height. Default 0. */
  warmupSteps?: number
  /** What is left of the learning rate at the end of `linear` and `cosine`, as a share of it, 0 to 1. Default 0. */
  finalShare?: number
}

export const scheduleSchemas = {
  schedule: z.enum(['constant', 'linear', 'cosine']).optional(),
  warmupSteps: z.int().min(0).optional(),
  finalShare: z.number().min(0).max(1).optional(),
}

/**
 * What the learning rate is multiplied by in a step. The first step of a warm-up is 1/warmupSteps, so that no step is wasted
 * on a rate of 0; for the same reason the last step of a decay is one step above `finalShare` (as in Hugging Face's schedules).
 *
 * @param step from 0, below `steps`
 * @param steps of the whole stage, warm-up included
 * @returns above 0 (where finalShare > 0 or steps are not over), at most 1
 */
export function learningRateShare(step: number, steps: number, options: Schedule = {}): number {
  const { schedule = 'constant', warmupSteps = 0, finalShare = 0 } = options
  if (step < warmupSteps) return (step + 1) / warmupSteps
  if (schedule === 'constant') return 1
  const progress = Math.min((step - warmupSteps) / Math.max(steps - warmupSteps, 1), 1)
  const left = schedule === 'linear' ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2
  return finalShare + (1 - finalShare) * left
}
