import { checkOutputs, zerosLike } from './arrays.ts'
import { sequenceLogRatio } from './sequence-log-ratio.ts'
import { checkTotals } from './totals.ts'
import type { PairTotals, PreferenceExample, PureLoss } from './types.ts'

export interface PreferenceLossParts {
  id: string
  totals: PairTotals
  beta: number
  /** Divide each h by its own number of trained tokens before the pair is compared. */
  lengthNormalised: boolean
  /** The loss of a pair and its derivative, as a function of the gap h_chosen - h_rejected. */
  link(gap: number): { value: number; derivative: number }
}

/**
 * Mean over the batch's pairs of `link(h_chosen - h_rejected)`: what DPO and IPO share.
 *
 * Metrics: `chosenReward`, `rejectedReward` (means of beta*h, never length-normalised), `margin` (their difference),
 * `accuracy` (share of pairs with strictly larger chosen reward).
 */
export function preferenceLoss(parts: PreferenceLossParts): PureLoss<PreferenceExample> {
  const { id, totals, beta, lengthNormalised } = parts
  checkTotals(id, totals)
  return (example, outputs) => {
    checkOutputs(id, example, outputs)
    if (outputs.length !== 2)
      throw new Error(`${id}: a pair is two sequences, chosen first, got ${outputs.length}`)
    const [chosen, rejected] = outputs.map(({ logprobs }, s) => {
      const { h, tokens } = sequenceLogRatio(id, s, logprobs, example.referenceLogprobs[s], example.masks[s])
      return { h, divisor: lengthNormalised ? tokens : 1 }
    }) as [{ h: number; divisor: number }, { h: number; divisor: number }]
    const { value, derivative } = parts.link(chosen.h / chosen.divisor - rejected.h / rejected.divisor)
    const slopes = [derivative / chosen.divisor, -derivative / rejected.divisor]
    const gradients = outputs.map(({ logprobs }, s) => {
      const gradient = zerosLike(logprobs)
      for (let t = 0; t < gradient.length; t++) {
        if (example.masks[s]![t] !== 0) gradient[t] = slopes[s]! / totals.pairs
      }
      return { logprobs: gradient }
    })
    const metrics = {
      chosenReward: (beta * chosen.h) / totals.pairs,
      rejectedReward: (beta * rejected.h) / totals.pairs,
      margin: (beta * (chosen.h - rejected.h)) / totals.pairs,
      accuracy: (chosen.h > rejected.h ? 1 : 0) / totals.pairs,
    }
    return { loss: value / totals.pairs, gradients, metrics }
  }
}
