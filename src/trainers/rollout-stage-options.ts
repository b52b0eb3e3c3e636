import { z } from 'zod'
import type { Model, TrainableModel } from '../engine/index.ts'
import type { RewardComposition } from '../rewards/index.ts'
import { type CollectOptions, collectLimits, type Policy } from '../rollouts/index.ts'
import { aFunction, having } from './check-options.ts'
import { type OptimizerOptions, optimizerSchema } from './optimizer.ts'
import type { Evaluation, StageRun } from './stage.ts'
import { trainingStageSchemas } from './training-options.ts'
import { type WarningOptions, warningsSchema } from './warnings.ts'

/** What every trainer that learns from its own rollouts takes. */
export interface RolloutStageOptions<T>
  extends Pick<CollectOptions<T>, 'rollout' | 'concurrency' | 'timeoutMs' | 'retries' | 'onFailure'> {
  /** The stage's name in the run. Default: the trainer's. */
  name?: string
  /** Made of the model that is to be trained: `createPolicy(await base.trainable({ full: true }))`. */
  policy: Policy<TrainableModel>
  /** At least one; ids must differ. */
  tasks: readonly { id: string; task: T }[]
  /** Rollouts of each task. Default 8. */
  groupSize?: number
  /** Default 4, at most all. */
  tasksPerStep?: number
  steps: number
  optimizer: OptimizerOptions
  /** What a rollout is worth, of several parts; without it what the rollout returns. */
  rewards?: RewardComposition<T>
  /** The frozen model to stay near. Default: the policy as it is when the stage begins; the base model itself costs no memory. */
  reference?: Model
  /** How often a group without spread is drawn anew. */
  resample?: number
  /** Default: all warnings with their usual bounds; `false`: none. */
  warnings?: false | WarningOptions
  /** What is recorded of rollouts. Default `full`; `text` leaves tokens out. */
  record?: 'full' | 'text' | 'none'
  evaluate?: Evaluation
  run?: StageRun
  /** Of all that is random, where there is no `run`, which has its own. Default 0. */
  seed?: number
}

/** @throws RangeError where answers to one task are to be compared and one is asked for */
export function refuseLoneAnswers(trainer: string, groupSize: number | undefined): void {
  if (groupSize === 1)
    throw new RangeError(
      `${trainer}: groupSize is 1; it compares answers to the same task, so give at least 2`,
    )
}

const count = z.int().min(1).optional()
const { name, steps, evaluate, run, seed } = trainingStageSchemas

export const rolloutStageSchemas = {
  name,
  policy: having<Policy>(
    'startRecording',
    'a policy: `createPolicy(await base.trainable({ full: true }))`',
  ).refine(
    ({ model }) => typeof (model as Partial<TrainableModel>).forwardBackward === 'function',
    'must be a policy of a model to train: `createPolicy(await base.trainable({ full: true }))`',
  ),
  tasks: z.array(z.object({ id: z.string(), task: z.unknown() })).min(1),
  rollout: aFunction(),
  groupSize: z.int().min(1).max(collectLimits.groupSize).optional(),
  tasksPerStep: count,
  steps: steps.unwrap(),
  optimizer: optimizerSchema,
  rewards: having('update', 'rewards: `composeRewards([...])`').optional(),
  reference: having<Model>('forward', 'a model').optional(),
  resample: z.int().min(0).max(collectLimits.resample).optional(),
  concurrency: count,
  timeoutMs: z.number().min(1).max(collectLimits.timeoutMs).optional(),
  retries: z.int().min(0).max(collectLimits.retries).optional(),
  onFailure: z.enum(['drop', 'zero', 'throw']).optional(),
  warnings: warningsSchema,
  record: z.enum(['full', 'text', 'none']).optional(),
  evaluate,
  run,
  seed,
}
