/**
 * Clipped importance-sampling policy optimisation: the weight is clipped, never the gradient.
 *
 * Formula: -stop(clip(r, 1 - clipLow, 1 + clipHigh))*A*l, token mean
 * Paper: arXiv 2506.13585
 * Peers: verl, slime and SkyRL bound relative to 1 on both sides as the paper does; open-instruct and TRL have no lower bound,
 *   and TRL's epsilon_high is the bound itself, not its distance from 1.
 */
import { aggregationOptions, tokenWeight } from './aggregation.ts'
import { clip } from './clip.ts'
import { klInLossOption } from './kl-estimators.ts'
import { type OptionsFor, readOptions } from './options.ts'
import { policyLoss } from './policy-loss.ts'
import { clipOptions, klCoefficientOption } from './policy-options.ts'
import type { PolicyExample, PureLoss, TokenTotals } from './types.ts'

export const cispoOptions = {
  ...clipOptions(1, 3),
  klCoefficient: klCoefficientOption,
  klEstimator: klInLossOption('k3'),
  ...aggregationOptions('token-mean'),
}

export function cispo(given: OptionsFor<typeof cispoOptions>, totals: TokenTotals): PureLoss<PolicyExample> {
  const options = readOptions('cispo', cispoOptions, given)
  const low = 1 - options.clipLow
  const high = 1 + options.clipHigh
  return policyLoss({
    ...options,
    id: 'cispo',
    totals,
    weight: tokenWeight('cispo', options, totals),
    term: {
      usesRatio: true,
      value: (ratio, advantage, logprob) => -clip(ratio, low, high) * advantage * logprob,
      derivative: (ratio, advantage) => -clip(ratio, low, high) * advantage,
    },
    clipsBothSigns: true,
  })
}
