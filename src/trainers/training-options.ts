import { z } from 'zod'
import type { TrainableModel } from '../engine/index.ts'
import { type BatchPlan, type BatchSize, batchSchema, epochsSchema } from './batches.ts'
import { aFunction, having } from './check-options.ts'
import { type OptimizerOptions, optimizerSchema } from './optimizer.ts'
import type { Evaluation, StageRun } from './stage.ts'

/** What every trainer on examples takes. */
export interface TrainingStageOptions {
  /** The stage's name in the run. Default: the trainer's. */
  name?: string
  model: TrainableModel
  optimizer: OptimizerOptions
  /** Default { examples: 8 }. */
  batch?: BatchSize
  /** Steps of the optimiser. Default: those of `epochs`. */
  steps?: number
  /** How often every example is seen. Default 1. */
  epochs?: number
  /** What to measure on the way, how to keep the best checkpoint and when to stop early. */
  evaluate?: Evaluation
  run?: StageRun
  /** Of all that is random, where there is no `run`, which has its own. Default 0. */
  seed?: number
}

const count = z.int().min(1).optional()

export const trainingStageSchemas = {
  name: z.string().min(1).optional(),
  model: having<TrainableModel>(
    'forwardBackward',
    'a model to train: `await model.trainable({ full: true })`',
  ),
  optimizer: optimizerSchema,
  batch: batchSchema.optional(),
  steps: count,
  epochs: epochsSchema,
  evaluate: z
    .strictObject({
      every: z.int().min(1),
      measure: aFunction(),
      best: z.strictObject({ metric: z.string(), goal: z.enum(['maximum', 'minimum']) }).optional(),
      patience: count,
    })
    .optional(),
  run: having<StageRun>('checkpoint', 'a run: `await openRun(...)`').optional(),
  seed: z.int().min(0).optional(),
}

export const defaultBatch: BatchSize = { examples: 8 }

/** @throws RangeError where both are given, for only one can hold */
export function plannedSteps(
  trainer: string,
  { steps, epochs }: Pick<TrainingStageOptions, 'steps' | 'epochs'>,
  plan: Pick<BatchPlan, 'stepsOf'>,
): number {
  if (steps !== undefined && epochs !== undefined)
    throw new RangeError(`${trainer}: give steps or epochs; got ${steps} steps and ${epochs} epochs`)
  return steps ?? plan.stepsOf(epochs ?? 1)
}

/** @throws RangeError where rows could be longer than the model takes */
export function mostTokens(
  trainer: string,
  { model, maxTokens }: { model: TrainableModel; maxTokens?: number | undefined },
): number {
  const { context } = model.info
  if (maxTokens !== undefined && maxTokens > context)
    throw new RangeError(`${trainer}: maxTokens is ${maxTokens}; the model's context has ${context} tokens`)
  return maxTokens ?? context
}

export function seedOfStage({ run, seed }: Pick<TrainingStageOptions, 'run' | 'seed'>): number {
  return run?.seed ?? seed ?? 0
}

/** Shows what was found before training in the report of the first step, so that a resumed stage shows it no second time. */
export function shownFirst(step: number, notes: string[]): { warnings?: string[] } {
  return step === 0 && notes.length > 0 ? { warnings: notes } : {}
}
