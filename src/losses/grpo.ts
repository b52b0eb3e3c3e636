/**
 * Group relative policy optimisation: clipped surrogate on group-normalised advantages, KL to the reference in the loss.
 *
 * Formula: mean over sequences of (1/|y|) sum of -min(r*A, clip(r)*A) + klCoefficient*k3, with A = (reward - group mean) /
 *   (group std + 1e-4) from `whetstone/advantages`
 * Paper: arXiv 2402.03300
 * Peers: the sample std (n - 1) everywhere but in open-instruct; epsilon 1e-4 in TRL, 1e-6 in verl, SkyRL and slime. verl and
 *   SkyRL give a group of one its raw reward; we give it 0.
 */
import { aggregationOptions, tokenWeight } from './aggregation.ts'
import { klInLossOption } from './kl-estimators.ts'
import { type OptionsFor, readOptions } from './options.ts'
import { policyLoss } from './policy-loss.ts'
import { clipOptions, dualClipOption, klCoefficientOption } from './policy-options.ts'
import { clippedSurrogate } from './surrogate.ts'
import type { PolicyExample, PureLoss, TokenTotals } from './types.ts'

export const grpoOptions = {
  ...clipOptions(0.2, 0.2),
  dualClip: dualClipOption,
  klCoefficient: klCoefficientOption,
  klEstimator: klInLossOption('k3'),
  ...aggregationOptions('sequence-mean-token-mean'),
}

export function grpo(given: OptionsFor<typeof grpoOptions>, totals: TokenTotals): PureLoss<PolicyExample> {
  const options = readOptions('grpo', grpoOptions, given)
  const { clipLow, clipHigh, dualClip } = options
  return policyLoss({
    ...options,
    id: 'grpo',
    totals,
    weight: tokenWeight('grpo', options, totals),
    term: clippedSurrogate(clipLow, clipHigh, dualClip),
  })
}
