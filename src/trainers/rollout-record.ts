import type { FloatArray } from '../engine/index.ts'
import type { Trajectory } from '../rollouts/index.ts'
import type { Row } from './rows.ts'

/** What training found out about a trajectory. Arrays run over the drawn tokens of all segments, in order. */
export interface Learned {
  /** One number, or one a drawn token. */
  advantage?: number | number[]
  /** Log-probabilities at the start of the step, where they are not the sampler's. */
  stepLogprobs?: number[]
}

/** A trajectory as one JSON object: in words and numbers, and in tokens where it is to be `full`. */
export function rolloutRecord(
  trajectory: Trajectory,
  learned: Learned = {},
  record: 'full' | 'text' = 'full',
): object {
  const { segments, ...words } = trajectory
  if (record === 'text') return { ...words, ...(typeof learned.advantage === 'number' && learned) }
  const arrays = segments.map(({ tokens, mask, logprobs, versions, temperature }) => ({
    tokens: [...tokens],
    mask: [...mask],
    logprobs: [...logprobs],
    versions: [...versions],
    temperature,
  }))
  return { ...words, segments: arrays, ...learned }
}

/** What is recorded beside each row's trajectory. */
export function learnedOf(
  rows: readonly Row[],
  advantages: readonly (number | FloatArray)[],
  stepLogprobs: readonly FloatArray[],
): Map<object, Learned> {
  return new Map(
    rows.map((row, index) => {
      const advantage = advantages[index]!
      const step = stepLogprobs[index]!
      const learned = {
        advantage: typeof advantage === 'number' ? advantage : drawn(row, advantage),
        ...(step !== row.samplerLogprobs && { stepLogprobs: drawn(row, step) }),
      }
      return [row.trajectory, learned]
    }),
  )
}

/** A row that was drawn in an earlier step, by what names it there, with what it was then and is now. */
export function replayedRecord(row: Row, advantage: number | FloatArray, stepLogprobs: FloatArray): object {
  const { taskId, sample, seed, reward } = row.trajectory
  const versions = row.sequences.flatMap(({ versions }) => [...versions]).filter((_, t) => row.mask[t] === 1)
  return {
    taskId,
    sample,
    seed,
    reward,
    replayed: true,
    versions,
    samplerLogprobs: drawn(row, row.samplerLogprobs),
    stepLogprobs: drawn(row, stepLogprobs),
    advantage: typeof advantage === 'number' ? advantage : drawn(row, advantage),
  }
}

function drawn({ mask }: Row, values: FloatArray): number[] {
  return [...values].filter((_, t) => mask[t] === 1)
}
