import type { Row } from './rows.ts'

/** Compares what was recorded while sampling with what the trainer computes for the same tokens, until the weights change. */
export interface SamplerCheck {
  /** @throws Error where a log-probability of a row to compare differs in any bit */
  hear(row: Row, logprobs: Float32Array): void
  /** To be told of the first update, after which they differ by right. */
  updated(): void
  /** `samplerTrainerDifference`: 0, for anything else is an error. */
  metrics(): Record<string, number>
}

export function samplerCheck(fresh: ReadonlySet<Row>): SamplerCheck {
  let comparing = true
  let compared = 0
  return {
    hear(row, logprobs) {
      if (!comparing || !fresh.has(row)) return
      const { mask, samplerLogprobs, trajectory } = row
      const t = mask.findIndex((m, index) => m === 1 && samplerLogprobs[index] !== logprobs[index])
      compared++
      if (t < 0) return
      throw new Error(
        `sampler and trainer differ: at drawn token ${t} of sample ${trajectory.sample} of task "${trajectory.taskId}" the sampler ` +
          `recorded ${samplerLogprobs[t]}, the trainer computes ${logprobs[t]}. Equal weights give equal bits here, so the weights ` +
          'were changed between sampling and training, or the trajectory was: do neither inside a rollout or an evaluation',
      )
    },
    updated() {
      comparing = false
    },
    metrics: () => (compared > 0 ? { samplerTrainerDifference: 0 } : {}),
  }
}
