import { RolloutError } from '../rollouts/index.ts'

/** Tasks of the last steps, in whole steps, of which the policy drew nothing to learn from. */
export interface FruitlessTasks {
  /**
   * Hears of a step: its tasks' ids, how many rows it had to learn from, and its failures in words.
   *
   * @throws RolloutError at the second such task, or at the only one there is: one bad task never stops a stage, but one that cannot
   * learn at all is told with the first reason
   */
  afterStep(step: { step: number; tasks: readonly string[]; rows: number }, failed: string | undefined): void
  /** The ids, as JSON. */
  save(): string[]
  load(saved: readonly string[]): void
}

/** Those of a stage that has so many tasks. */
export function createFruitlessTasks(stage: string, tasks: number): FruitlessTasks {
  let fruitless = new Set<string>()
  return {
    afterStep(step, failed) {
      fruitless = step.rows > 0 ? new Set() : new Set([...fruitless, ...step.tasks])
      if (fruitless.size < Math.min(2, tasks)) return
      const reason = failed ?? 'no rollout called the `model` that it is given'
      throw new RolloutError(`${stage}, step ${step.step}: nothing to learn from: ${reason}`)
    },
    save: () => [...fruitless],
    load(saved) {
      fruitless = new Set(saved)
    },
  }
}
