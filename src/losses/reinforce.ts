/**
 * The plain policy gradient.
 *
 * Formula: -A*l, with A = whiten(return - beta*KL) over the batch from `whetstone/advantages`
 * Paper: Williams, Simple statistical gradient-following algorithms (1992)
 * Peers: differ in how tokens add up; here it is the option aggregation.
 */
import { aggregationOptions, tokenWeight } from './aggregation.ts'
import { type OptionsFor, readOptions } from './options.ts'
import { policyLoss } from './policy-loss.ts'
import { policyGradient } from './surrogate.ts'
import type { PolicyExample, PureLoss, TokenTotals } from './types.ts'

export const reinforceOptions = aggregationOptions('token-mean')

export function reinforce(
  given: OptionsFor<typeof reinforceOptions>,
  totals: TokenTotals,
): PureLoss<PolicyExample> {
  const options = readOptions('reinforce', reinforceOptions, given)
  return policyLoss({
    id: 'reinforce',
    totals,
    weight: tokenWeight('reinforce', options, totals),
    term: policyGradient,
    clipLow: Infinity,
    clipHigh: Infinity,
  })
}
