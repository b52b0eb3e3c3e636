import { z } from 'zod'
import type { AdamWStep, MuonStep } from '../engine/index.ts'
import { learningRateShare, type Schedule, scheduleSchemas } from './schedule.ts'

/** How a trainer's gradients become steps. */
export interface OptimizerOptions extends Schedule {
  /** Default `adamw`. */
  kind?: 'adamw' | 'muon'
  /** At its full height, from 0. */
  learningRate: number
  /** AdamW's; default 0.9. */
  beta1?: number
  /** AdamW's; default 0.999. */
  beta2?: number
  /** AdamW's; default 1e-8. */
  epsilon?: number
  /** Of matrices only. Default 0. */
  weightDecay?: number
  /** Muon's; default 0.95. */
  momentum?: number
  /** With Muon: AdamW's learning rate, for embeddings, head, norms and biases. Default: a tenth of `learningRate`. */
  adamwLearningRate?: number
  /** Gradients are scaled down to this norm; 0: never. Default 1. */
  maxGradientNorm?: number
  /** Parts in which a batch goes through the model, to hold fewer at a time; changes no result but by rounding. Default 1. */
  accumulation?: number
}

const share = z.number().min(0).lt(1).optional()

export const optimizerSchema = z
  .strictObject({
    kind: z.enum(['adamw', 'muon']).optional(),
    learningRate: z.number().min(0),
    ...scheduleSchemas,
    beta1: share,
    beta2: share,
    epsilon: z.number().positive().optional(),
    weightDecay: z.number().min(0).optional(),
    momentum: share,
    adamwLearningRate: z.number().min(0).optional(),
    maxGradientNorm: z.number().min(0).optional(),
    accumulation: z.int().min(1).optional(),
  })
  .refine(({ kind, momentum, adamwLearningRate }) => {
    return kind === 'muon' || (momentum === undefined && adamwLearningRate === undefined)
  }, 'momentum and adamwLearningRate are for kind "muon"')

/** What `optimStep` takes in a step, and the scheduled learning rate. `step` is from 0, below `steps`. */
export function optimizerStep(
  options: OptimizerOptions,
  step: number,
  steps: number,
): (AdamWStep | MuonStep) & { learningRate: number } {
  const { kind = 'adamw', maxGradientNorm = 1, weightDecay = 0, momentum = 0.95 } = options
  const height = learningRateShare(step, steps, options)
  const learningRate = options.learningRate * height
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options
  const adamw = { beta1, beta2, epsilon, weightDecay }
  if (kind === 'adamw') return { kind, learningRate, maxGradientNorm, ...adamw }
  const adamwLearningRate = (options.adamwLearningRate ?? options.learningRate / 10) * height
  return {
    kind,
    learningRate,
    maxGradientNorm,
    momentum,
    weightDecay,
    adamw: { learningRate: adamwLearningRate, ...adamw },
  }
}
