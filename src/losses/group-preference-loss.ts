import { checkLength, checkOutputs, finite, zerosLike } from './arrays.ts'
import { sequenceLogRatio } from './sequence-log-ratio.ts'
import type { PureLoss, ScoredGroup } from './types.ts'

export interface GroupObjective {
  loss: number
  /** Derivative of the loss in each h. Shape: [G]. */
  slopes: Float64Array
  metrics: Record<string, number>
}

/** A loss that sees a group's responses only through their h and their scores. */
export function groupPreferenceLoss(
  id: string,
  objective: (h: Float64Array, scores: Float64Array) => GroupObjective,
): PureLoss<ScoredGroup> {
  return (example, outputs) => {
    checkOutputs(id, example, outputs)
    const { scores } = example
    if (scores.length !== outputs.length) {
      throw new Error(`${id}: the group has ${outputs.length} sequences, but ${scores.length} scores`)
    }
    const h = Float64Array.from(
      outputs,
      ({ logprobs }, s) =>
        sequenceLogRatio(id, s, logprobs, example.referenceLogprobs[s], example.masks[s]).h,
    )
    const finiteScores = Float64Array.from(outputs, (_, s) => finite(id, 'the score', s, 0, scores[s]))
    const { loss, slopes, metrics } = objective(h, finiteScores)
    const gradients = outputs.map(({ logprobs }, s) => {
      const mask = checkLength(id, 'mask', s, example.masks[s], logprobs.length)
      const gradient = zerosLike(logprobs)
      for (let t = 0; t < gradient.length; t++) if (mask[t] !== 0) gradient[t] = slopes[s]!
      return { logprobs: gradient }
    })
    return { loss, gradients, metrics }
  }
}

/** Whether scores differ at all; equal scores carry no preference. */
export function hasSpread(scores: ArrayLike<number>): boolean {
  for (let i = 1; i < scores.length; i++) if (scores[i] !== scores[0]) return true
  return false
}

/** Scores minus their mean, exactly 0 where there is no spread. */
export function centred(scores: Float64Array): Float64Array {
  if (!hasSpread(scores)) return new Float64Array(scores.length)
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length
  return scores.map((score) => score - mean)
}
