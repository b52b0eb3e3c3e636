/**
 * GRPO done right: neither the std of the group nor the length of the response divides anything.
 *
 * Formula: sum of -min(r*A, clip(r)*A) + klCoefficient*k3, divided by sequences*constant, with A = reward - group mean from
 *   `whetstone/advantages`
 * Paper: arXiv 2503.20783
 * Peers: TRL, verl (seq-mean-token-sum-norm) and SkyRL divide by the constant as the paper does; OpenRLHF's dr_grpo takes the
 *   token mean instead.
 */
import { tokenWeight } from './aggregation.ts'
import { klInLossOption } from './kl-estimators.ts'
import { numberOption, type OptionsFor, readOptions } from './options.ts'
import { policyLoss } from './policy-loss.ts'
import { clipOptions, dualClipOption, klCoefficientOption } from './policy-options.ts'
import { clippedSurrogate } from './surrogate.ts'
import type { PolicyExample, PureLoss, TokenTotals } from './types.ts'

export const drGrpoOptions = {
  constant: numberOption('(0, inf)', 1024, 'the longest completion that is sampled, in tokens'),
  ...clipOptions(0.2, 0.2),
  dualClip: dualClipOption,
  klCoefficient: klCoefficientOption,
  klEstimator: klInLossOption('k3'),
}

export function drGrpo(
  given: OptionsFor<typeof drGrpoOptions>,
  totals: TokenTotals,
): PureLoss<PolicyExample> {
  const options = readOptions('dr-grpo', drGrpoOptions, given)
  const { clipLow, clipHigh, dualClip, constant } = options
  return policyLoss({
    ...options,
    id: 'dr-grpo',
    totals,
    weight: tokenWeight('dr-grpo', { aggregation: 'constant', constant }, totals),
    term: clippedSurrogate(clipLow, clipHigh, dualClip),
  })
}
