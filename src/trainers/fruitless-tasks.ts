import { RolloutError, type RolloutFailure } from '../rollouts/index.ts'
import type { RolloutBatch } from './rollout-stage.ts'

/** Tasks in a row, in whole steps, of which the policy drew nothing to learn from. */
export interface FruitlessTasks {
  /**
   * Hears of a step's batch, and in words of its failures.
   *
   * @throws RolloutError at the second, or the only one there is: one bad task never stops a stage, but one that cannot learn at all is
   * told with the first reason
   */
  afterStep(batch: RolloutBatch<unknown>, failed: string | undefined): void
  save(): number
  load(saved: number): void
}

export function createFruitlessTasks(stage: string, tasks: number): FruitlessTasks {
  let inARow = 0
  return {
    afterStep({ step, groups, rows }, failed) {
      inARow = rows.length > 0 ? 0 : inARow + groups.length
      if (inARow < Math.min(2, tasks)) return
      const reason = failed ?? 'no rollout called the `model` that it is given'
      throw new RolloutError(`${stage}, step ${step}: nothing to learn from: ${reason}`)
    },
    save: () => inARow,
    load(saved) {
      inARow = saved
    },
  }
}

/** How many of a step's rollouts failed, and why the first did; undefined where none did. */
export function describeFailures(failures: readonly RolloutFailure[], rollouts: number): string | undefined {
  const [first] = failures
  return (
    first &&
    `${failures.length} of ${rollouts} rollouts failed; the first, sample ${first.sample} of task "${first.taskId}": ${first.reason}`
  )
}
