/**
 * REINFORCE leave-one-out: each response's baseline is the mean reward of the others.
 *
 * Formula: reinforce: -mean over sequences of A * sum of l; sequence-ratio: rho = exp(sum of (l - lo)), -mean of
 *   min(rho*A, clip(rho)*A); with A = reward - mean of the others' from `whetstone/advantages`
 * Paper: arXiv 2402.14740
 * Peers: verl's loop gives a group of one its raw reward; its vectorised form, SkyRL and we give it 0.
 */
import { choiceOption, type OptionsFor, readOptions } from './options.ts'
import { policyLoss } from './policy-loss.ts'
import { clipOptions } from './policy-options.ts'
import { sequencePolicyLoss } from './sequence-policy-loss.ts'
import { policyGradient } from './surrogate.ts'
import type { PolicyExample, PureLoss, TokenTotals } from './types.ts'

export const rlooOptions = {
  form: choiceOption(
    ['reinforce', 'sequence-ratio'],
    'reinforce',
    'sequence-ratio: for more than one update a batch',
  ),
  ...clipOptions(0.2, 0.2),
}

export function rloo(given: OptionsFor<typeof rlooOptions>, totals: TokenTotals): PureLoss<PolicyExample> {
  const { form, clipLow, clipHigh } = readOptions('rloo', rlooOptions, given)
  const id = 'rloo'
  if (form === 'sequence-ratio') {
    return sequencePolicyLoss({
      id,
      totals,
      clipLow,
      clipHigh,
      lengthNormalised: false,
      tokenAdvantages: false,
    })
  }
  const weight = () => 1 / totals.sequences
  return policyLoss({ id, totals, weight, term: policyGradient, clipLow: Infinity, clipHigh: Infinity })
}
