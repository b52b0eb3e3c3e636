/**
 * REINFORCE++: PPO's clip without a critic, on returns whitened over the whole batch.
 *
 * Formula: token mean of -min(r*A, clip(r)*A) + klCoefficient*d^2/2, with A from `whetstone/advantages`: whitened return minus
 *   beta*KL, or, in the baseline variant, whitened reward minus group mean
 * Paper: arXiv 2501.03262
 * Peers: verl, SkyRL and slime whiten with n - 1, OpenRLHF with n (the option ddof). SkyRL's returns before a tool call lose the
 *   final reward, OpenRLHF and slime discount over tool tokens; ours pass over them.
 */
import { aggregationOptions, tokenWeight } from './aggregation.ts'
import { klInLossOption } from './kl-estimators.ts'
import { type OptionsFor, readOptions } from './options.ts'
import { policyLoss } from './policy-loss.ts'
import { clipOptions, dualClipOption, klCoefficientOption } from './policy-options.ts'
import { clippedSurrogate } from './surrogate.ts'
import type { PolicyExample, PureLoss, TokenTotals } from './types.ts'

export const reinforcePlusPlusOptions = {
  ...clipOptions(0.2, 0.2),
  dualClip: dualClipOption,
  klCoefficient: klCoefficientOption,
  klEstimator: klInLossOption('k2'),
  ...aggregationOptions('token-mean'),
}

export function reinforcePlusPlus(
  given: OptionsFor<typeof reinforcePlusPlusOptions>,
  totals: TokenTotals,
): PureLoss<PolicyExample> {
  const options = readOptions('reinforce-plus-plus', reinforcePlusPlusOptions, given)
  const { clipLow, clipHigh, dualClip } = options
  return policyLoss({
    ...options,
    id: 'reinforce-plus-plus',
    totals,
    weight: tokenWeight('reinforce-plus-plus', options, totals),
    term: clippedSurrogate(clipLow, clipHigh, dualClip),
  })
}
