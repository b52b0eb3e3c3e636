import { z } from 'zod'
import { seedOf } from '../data/index.ts'
import { describeIssue } from './describe-issue.ts'
import { groupMetrics, hasSpread } from './group-metrics.ts'
import { limitConcurrency } from './limit-concurrency.ts'
import { collectLimits } from './limits.ts'
import type { Policy } from './policy.ts'
import { RolloutError } from './rollout-error.ts'
import { runRollout } from './run-rollout.ts'
import type { Rollout, Trajectory, TrajectoryGroup } from './types.ts'

export interface CollectOptions<T> {
  policy: Policy
  /** Ids must differ; a task's draws depend on its id, not on the other tasks. */
  tasks: readonly { id: string; task: T }[]
  rollout: Rollout<T>
  /** Rollouts of each task, from 1 to 100,000. */
  groupSize: number
  /** The run's. */
  seed: number
  /** From 0. */
  step: number
  /** Rollouts in flight. Default 64. */
  concurrency?: number
  /** Of one attempt; a rollout that takes longer has its signal aborted and is left behind. Default 600,000. */
  timeoutMs?: number
  /**
   * Further attempts, with the same seed, of a rollout that throws, runs out of time, has no finite reward or
   * does not await its calls. Default 1.
   */
  retries?: number
  /**
   * What becomes of rollouts that fail for good: `drop` leaves them out of their group, `zero` keeps what
   * they drew at reward 0, `throw` ends the collection. Default `drop`.
   */
  onFailure?: 'drop' | 'zero' | 'throw'
  /** How often a group whose rewards are all equal is drawn anew. Default 0. */
  resample?: number
  /** Ends the collection, which rejects with its reason. */
  signal?: AbortSignal
  /** Hears of each rollout that is over. The total grows where groups are drawn anew. */
  onProgress?: (progress: { done: number; total: number; failed: number }) => void
}

/** A rollout that failed for good. */
export interface RolloutFailure {
  taskId: string
  sample: number
  /** 0, or how often its group had been drawn anew. */
  round: number
  attempts: number
  reason: string
  /** What the last attempt drew. */
  trajectory: Trajectory
}

export interface CollectedGroups<T> {
  /** In the order of the tasks, also where nothing is left of one. */
  groups: TrajectoryGroup<T>[]
  metrics: Record<string, number>
  failures: RolloutFailure[]
}

const collectOptions = z.strictObject({
  policy: z.custom<Policy>(
    (value) => typeof (value as Partial<Policy> | undefined)?.startRecording === 'function',
    'must be a policy: `createPolicy(model)`',
  ),
  tasks: z.array(z.looseObject({ id: z.string() })).readonly(),
  rollout: z.custom<Rollout<unknown>>((value) => typeof value === 'function', 'must be a function'),
  groupSize: z.int().min(1).max(collectLimits.groupSize),
  seed: z.int(),
  step: z.int().min(0),
  concurrency: z.int().min(1).default(64),
  timeoutMs: z.number().min(1).max(collectLimits.timeoutMs).default(600_000),
  retries: z.int().min(0).max(collectLimits.retries).default(1),
  onFailure: z.enum(['drop', 'zero', 'throw']).default('drop'),
  resample: z.int().min(0).max(collectLimits.resample).default(0),
  signal: z.instanceof(AbortSignal).optional(),
  onProgress: z.custom((value) => typeof value === 'function', 'must be a function').optional(),
})

/**
 * Rolls out a group for each task, all at once up to a bound. A rollout's draws depend on (seed, step, task's
 * id, sample, round) and on what it does, never on the others or on timing. Errors: an option out of its
 * range; the signal's reason; with `throw`, the first failure.
 */
export async function collectGroups<T>(options: CollectOptions<T>): Promise<CollectedGroups<T>> {
  const settings = checkOptions(options)
  const { policy, tasks, rollout, onProgress } = options
  const { groupSize, seed, step, concurrency, timeoutMs, retries, onFailure, resample } = settings
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  const limited = limitConcurrency(concurrency)
  const progress = { done: 0, total: tasks.length * groupSize, failed: 0 }

  async function runSample(id: string, task: T, sample: number, round: number): Promise<Trajectory> {
    const rolloutSeed = seedOf('rollout', seed, step, id, sample, round)
    const request = {
      policy,
      rollout,
      taskId: id,
      task,
      sample,
      seed: rolloutSeed,
      timeoutMs,
      retries,
      signal,
    }
    const trajectory = await limited(() => runRollout(request))
    progress.done++
    if (trajectory.failure !== undefined) progress.failed++
    onProgress?.({ ...progress })
    if (trajectory.failure !== undefined && onFailure === 'throw')
      throw new RolloutError(
        `sample ${sample} of task ${JSON.stringify(id)} failed after ${trajectory.attempts} attempts: ${trajectory.failure}`,
      )
    return trajectory
  }

  async function collectGroup({ id, task }: { id: string; task: T }) {
    const failures: RolloutFailure[] = []
    let retried = 0
    for (let round = 0; ; round++) {
      const samples = Array.from({ length: groupSize }, (_, sample) => runSample(id, task, sample, round))
      const drawn = await Promise.all(samples)
      failures.push(...drawn.flatMap((trajectory) => failureOf(trajectory, round)))
      retried += drawn.filter(({ attempts }) => attempts > 1).length
      const trajectories = drawn.filter(({ failure }) => failure === undefined || onFailure === 'zero')
      if (round === resample || groupSize === 1 || hasSpread(trajectories))
        return { group: { task, taskId: id, trajectories }, failures, retried, rounds: round }
      progress.total += groupSize
    }
  }

  try {
    const collected = await Promise.all(tasks.map(collectGroup))
    const groups = collected.map(({ group }) => group)
    const failures = collected.flatMap(({ failures }) => failures)
    const metrics = {
      ...groupMetrics(groups),
      failed: failures.length,
      retried: collected.reduce((sum, { retried }) => sum + retried, 0),
      resampledGroups: collected.filter(({ rounds }) => rounds > 0).length,
    }
    return { groups, metrics, failures }
  } catch (error) {
    stop.abort(error)
    throw error
  }
}

function checkOptions<T>(options: CollectOptions<T>) {
  const parsed = collectOptions.safeParse(options)
  if (!parsed.success) throw new RolloutError(`collectGroups: ${describeIssue(parsed.error, options)}`)
  const seen = new Set<string>()
  for (const { id } of parsed.data.tasks) {
    if (seen.has(id))
      throw new RolloutError(`collectGroups: two tasks have the id ${JSON.stringify(id)}; ids must differ`)
    seen.add(id)
  }
  return parsed.data
}

function failureOf(trajectory: Trajectory, round: number): RolloutFailure[] {
  const { taskId, sample, attempts, failure } = trajectory
  return failure === undefined ? [] : [{ taskId, sample, round, attempts, reason: failure, trajectory }]
}
