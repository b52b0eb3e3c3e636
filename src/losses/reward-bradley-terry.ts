/**
 * Reward model from preferences: the value at the last trained token is the response's score.
 *
 * Formula: mean over pairs of -log s(score_w - score_l - margin) + c*(score_w + score_l)^2
 * Paper: arXiv 1909.08593; centring 2312.09244
 * Peers: OpenRLHF's LogExpLoss ignores the margin without a word and overflows on large gaps; ours is evaluated stably.
 */
import type { FloatArray } from '../engine/contract.ts'
import { checkLength, checkOutputs, countTokens, finite, zerosLike } from './arrays.ts'
import { logSigmoid, sigmoid } from './log-sigmoid.ts'
import { numberOption, type OptionsFor, readOptions } from './options.ts'
import { checkTotals } from './totals.ts'
import type { Mask, MaskedExample, PairTotals, PureLoss } from './types.ts'

export const rewardBradleyTerryOptions = {
  centringCoefficient: numberOption('[0, inf)', 0, 'c: draws the two scores of a pair to a sum of 0'),
}

/** sequences[0] is preferred to sequences[1]; `margin` is how much better it is known to be (default 0). */
export interface RatedPair extends MaskedExample {
  margin?: number
}

/** Metrics: `accuracy`, share of pairs with strictly larger chosen score; `margin`, mean of score_w - score_l. */
export function rewardBradleyTerry(
  given: OptionsFor<typeof rewardBradleyTerryOptions>,
  totals: PairTotals,
): PureLoss<RatedPair> {
  const id = 'reward-bradley-terry'
  const { centringCoefficient: c } = readOptions(id, rewardBradleyTerryOptions, given)
  checkTotals(id, totals)
  return (example, outputs) => {
    checkOutputs(id, example, outputs)
    if (outputs.length !== 2)
      throw new Error(`${id}: a pair is two sequences, chosen first, got ${outputs.length}`)
    const read = outputs.map(({ values, logprobs }, s) =>
      lastScore(id, s, values, example.masks[s], logprobs.length),
    )
    const [chosen, rejected] = [read[0]!.score, read[1]!.score]
    const gap = chosen - rejected
    const centre = chosen + rejected
    const surprise = gap - finite(id, 'the margin', 0, 0, example.margin ?? 0)
    const pull = -sigmoid(-surprise)
    const slopes = [pull + 2 * c * centre, -pull + 2 * c * centre]
    const gradients = outputs.map(({ logprobs }, s) => {
      const { values, position } = read[s]!
      const gradient = zerosLike(values)
      gradient[position] = slopes[s]! / totals.pairs
      return { logprobs: zerosLike(logprobs), values: gradient }
    })
    const loss = (-logSigmoid(surprise) + c * centre * centre) / totals.pairs
    return {
      loss,
      gradients,
      metrics: { accuracy: (gap > 0 ? 1 : 0) / totals.pairs, margin: gap / totals.pairs },
    }
  }
}

function lastScore<A extends FloatArray>(
  id: string,
  s: number,
  output: A | undefined,
  mask: Mask | undefined,
  length: number,
) {
  const values = checkLength(id, 'values', s, output, length)
  const m = checkLength(id, 'mask', s, mask, length)
  if (countTokens(m) === 0)
    throw new Error(`${id}: sequence ${s} has no token with mask 1 to read the score at`)
  let position = length - 1
  while (m[position] === 0) position--
  return { values, position, score: finite(id, 'values', s, position, values[position]) }
}
