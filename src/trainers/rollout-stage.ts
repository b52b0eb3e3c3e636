import type { TrainableModel } from '../engine/index.ts'
import { collectGroups, type RolloutFailure, type TrajectoryGroup } from '../rollouts/index.ts'
import { batchPlan } from './batches.ts'
import { describeFailures } from './describe-failures.ts'
import { createFruitlessTasks } from './fruitless-tasks.ts'
import { rolloutMetrics } from './rollout-metrics.ts'
import { type Learned, rolloutRecord } from './rollout-record.ts'
import type { RolloutStageOptions } from './rollout-stage-options.ts'
import { type Row, rowOf } from './rows.ts'
import { scoreGroups } from './score-groups.ts'
import { runStage, type StageReport } from './stage.ts'
import { seedOfStage } from './training-options.ts'
import { createWarnings } from './warnings.ts'

/** A step's rollouts, scored. */
export interface RolloutBatch<T> {
  /** From 0. */
  step: number
  groups: TrajectoryGroup<T>[]
  /** One a trajectory in which the policy drew something; by group, then by sample. */
  rows: Row[]
}

/** What a trainer made of a batch. */
export interface Update {
  metrics: Record<string, number>
  seconds: Record<string, number>
  /** What is recorded beside each row, by its trajectory. */
  learned?: ReadonlyMap<object, Learned>
  warnings?: string[]
  /** Recorded after the step's own rollouts. */
  further?: readonly object[]
}

export interface RolloutTrainer<T> {
  name: string
  /** Trained models besides the policy, by name. */
  models?: Record<string, TrainableModel>
  /** Whether the policy is to keep what its rollouts compute: where the update trains on all of it, once, by the weights that drew it. */
  trainsOnce?: boolean
  update(batch: RolloutBatch<T>): Promise<Update>
  /** What of the trainer outlives a step, as JSON. */
  save?(): unknown
  load?(saved: unknown): void
  /** Lets go of what the trainer holds. */
  close?(): Promise<void>
}

type CollectingOptions<T> = Omit<RolloutStageOptions<T>, 'optimizer' | 'reference'>

/** The stage of a trainer that learns from its own rollouts: collect, score, update, tell. */
export async function* rolloutStage<T>(
  options: CollectingOptions<T>,
  trainer: RolloutTrainer<T>,
): AsyncGenerator<StageReport, void, void> {
  const { policy, tasks, rewards, record = 'full', evaluate, run } = options
  const { name = trainer.name, tasksPerStep = Math.min(4, tasks.length) } = options
  if (rewards && options.resample)
    throw new RangeError(
      `${name}: resample looks at what rollouts return, which \`rewards\` replaces afterwards; score inside the rollout, or leave it out`,
    )
  refuseEqualIds(name, tasks)
  const seed = seedOfStage(options)
  const plan = batchPlan(
    tasks.map(() => 1),
    { examples: tasksPerStep },
    [seed, name, 'tasks'],
  )
  const warnings = createWarnings({
    ...(evaluate?.best?.goal === 'maximum' && { heldOut: evaluate.best.metric }),
    ...(options.warnings || {}),
  })
  const fruitless = createFruitlessTasks(name, tasks.length)
  /** Those of the step in hand: a report's array is filled until it is recorded, so that an evaluation's warning joins its step's. */
  let said: string[] = []
  const say = (news: readonly string[]) => {
    if (options.warnings !== false) said.push(...news)
  }

  yield* runStage({
    name,
    steps: options.steps,
    state: {
      models: { [name]: policy.model, ...trainer.models },
      save: () => ({
        warnings: warnings.save(),
        rewards: rewards?.save() ?? null,
        fruitless: fruitless.save(),
        trainer: trainer.save?.() ?? null,
      }),
      load(saved) {
        const before = saved as {
          warnings: unknown
          rewards: Record<string, unknown> | null
          fruitless?: string[]
          trainer: unknown
        }
        warnings.load(before.warnings)
        fruitless.load(before.fruitless ?? [])
        if (before.rewards) rewards?.load(before.rewards)
        if (before.trainer !== null) trainer.load?.(before.trainer)
      },
    },
    async step(step) {
      said = []
      const began = performance.now()
      const chosen = plan.at(step).map((index) => tasks[index]!)
      if (trainer.trainsOnce) await policy.model.keepSampled(true)
      const { groups, metrics, failures } = await collect(options, chosen, seed, step).finally(
        () => trainer.trainsOnce && policy.model.keepSampled(false),
      )
      const drawn = performance.now()
      const rewarded = await scoreGroups(rewards, groups)
      const scored = performance.now()
      const rows = groups.flatMap(({ trajectories }, group) =>
        trajectories.flatMap((one) => rowOf(one, group) ?? []),
      )
      const failed = describeFailures(failures)
      fruitless.afterStep({ step, tasks: chosen.map(({ id }) => id), rows: rows.length }, failed)
      const update = await trainer.update({ step, groups, rows })
      const all = { ...rolloutMetrics(groups, rows, metrics), ...rewarded, ...update.metrics }
      say(update.warnings ?? [])
      say(warnings.afterStep(all))
      say(failed === undefined ? [] : [failed])
      return {
        metrics: all,
        seconds: { rollout: (drawn - began) / 1000, reward: (scored - drawn) / 1000, ...update.seconds },
        warnings: said,
        rollouts: [
          ...records(groups, failures, update.learned, record),
          ...(record === 'full' ? (update.further ?? []) : []),
        ],
      }
    },
    ...(evaluate && { evaluate, afterEvaluation: (found) => say(warnings.afterEvaluation(found)) }),
    ...(run && { run }),
    async close() {
      try {
        await trainer.close?.()
      } finally {
        if (trainer.trainsOnce) await policy.model.forgetSampled()
      }
    },
  })
}

/** Found here, before hours of training meet the two in one step. */
function refuseEqualIds(name: string, tasks: readonly { id: string }[]): void {
  const seen = new Set<string>()
  for (const { id } of tasks) {
    if (seen.has(id))
      throw new RangeError(`${name}: two tasks have the id ${JSON.stringify(id)}; ids must differ`)
    seen.add(id)
  }
}

async function collect<T>(
  options: CollectingOptions<T>,
  tasks: readonly { id: string; task: T }[],
  seed: number,
  step: number,
) {
  const { policy, rollout, groupSize = 8, resample, concurrency, timeoutMs, retries, onFailure } = options
  const collected = await collectGroups({
    policy,
    tasks,
    rollout,
    groupSize,
    seed,
    step,
    ...(resample !== undefined && { resample }),
    ...(concurrency !== undefined && { concurrency }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(retries !== undefined && { retries }),
    ...(onFailure !== undefined && { onFailure }),
  })
  // The engine counts changes of weights in this process, which a resumed stage does not repeat; the policy's steps are its version.
  for (const trajectory of [
    ...collected.groups.flatMap(({ trajectories }) => trajectories),
    ...collected.failures.map((failure) => failure.trajectory),
  ])
    for (const { versions } of trajectory.segments)
      for (let t = 0; t < versions.length; t++) if (versions[t] !== -1) versions[t] = step
  return collected
}

function records<T>(
  groups: readonly TrajectoryGroup<T>[],
  failures: readonly RolloutFailure[],
  learned: ReadonlyMap<object, Learned> | undefined,
  record: 'full' | 'text' | 'none',
): object[] {
  if (record === 'none') return []
  const kept = groups.flatMap(({ trajectories }) => trajectories)
  const dropped = failures.map(({ trajectory }) => trajectory).filter((one) => !kept.includes(one))
  return [...kept, ...dropped].map((trajectory) =>
    rolloutRecord(trajectory, learned?.get(trajectory), record),
  )
}
