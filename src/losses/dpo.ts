/**
 * Direct preference optimisation, with the label smoothing of conservative DPO.
 *
 * Formula: mean over pairs of -(1 - e)*log s(b*(h_w - h_l)) - e*log s(-b*(h_w - h_l)), h = sum of m*(l - lr)
 * Paper: arXiv 2305.18290; cDPO: Mitchell, A note on DPO with noisy preferences (2023)
 * Peers: TRL's sigmoid loss ignores label_smoothing without a word, and its "robust" loss is another estimator; the original
 *   repository, OpenRLHF, open-instruct and we apply it.
 */
import { logSigmoid, sigmoid } from './log-sigmoid.ts'
import { booleanOption, numberOption, type OptionsFor, readOptions } from './options.ts'
import { preferenceLoss } from './preference-loss.ts'
import type { PairTotals, PreferenceExample, PureLoss } from './types.ts'

export const dpoOptions = {
  beta: numberOption('(0, inf)', 0.1, 'strength of the pull to the reference: larger stays closer'),
  labelSmoothing: numberOption('[0, 0.5)', 0, 'assumed share of pairs whose label is wrong'),
  lengthNormalised: booleanOption(false, 'divide each h by its number of trained tokens'),
}

export function dpo(given: OptionsFor<typeof dpoOptions>, totals: PairTotals): PureLoss<PreferenceExample> {
  const { beta, labelSmoothing: e, lengthNormalised } = readOptions('dpo', dpoOptions, given)
  return preferenceLoss({
    id: 'dpo',
    totals,
    beta,
    lengthNormalised,
    link: (gap) => ({
      value: -(1 - e) * logSigmoid(beta * gap) - e * logSigmoid(-beta * gap),
      derivative: beta * (e * sigmoid(beta * gap) - (1 - e) * sigmoid(-beta * gap)),
    }),
  })
}
