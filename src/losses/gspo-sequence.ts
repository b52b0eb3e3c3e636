/**
 * Group Sequence Policy Optimization: one ratio a sequence, the geometric mean of its tokens' ratios.
 *
 * Formula: s = exp(mean of (l - lo)); mean over sequences of -min(s*A, clip(s, 1 - clipLow, 1 + clipHigh)*A); token form:
 *   s_t = stop(s)*exp(l - stop(l)) with one advantage a token, which has the same gradient when A is constant
 * Paper: arXiv 2507.18071
 * Peers: AReaL sums over tokens, so long sequences weigh more; TRL, verl, SkyRL, OpenRLHF, slime and we take the mean over
 *   sequences. TRL's clip fraction counts sequences, verl's tokens: we report both.
 */
import { choiceOption, type OptionsFor, readOptions } from './options.ts'
import { clipOptions } from './policy-options.ts'
import { sequencePolicyLoss } from './sequence-policy-loss.ts'
import type { PolicyExample, PureLoss, TokenTotals } from './types.ts'

export const gspoSequenceOptions = {
  form: choiceOption(['sequence', 'token'], 'sequence', 'token: advantages may differ from token to token'),
  ...clipOptions(3e-4, 4e-4),
}

export function gspoSequence(
  given: OptionsFor<typeof gspoSequenceOptions>,
  totals: TokenTotals,
): PureLoss<PolicyExample> {
  const { form, clipLow, clipHigh } = readOptions('gspo-sequence', gspoSequenceOptions, given)
  return sequencePolicyLoss({
    id: 'gspo-sequence',
    totals,
    clipLow,
    clipHigh,
    lengthNormalised: true,
    tokenAdvantages: form === 'token',
  })
}
