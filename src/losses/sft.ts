/**
 * Supervised fine-tuning: masked cross-entropy.
 *
 * Formula: -sum of m*l / N, N = trained tokens of the batch (token-mean) or 1 (token-sum)
 * Paper: arXiv 2203.02155
 * Peers: agree on the token mean; several divide by each micro-batch's own count, so that the loss changes with gradient
 *   accumulation. Here the totals of the whole batch divide.
 */
import { aggregationOptions, tokenWeight } from './aggregation.ts'
import { crossEntropyLoss } from './cross-entropy-loss.ts'
import { type OptionsFor, readOptions } from './options.ts'
import type { MaskedExample, PureLoss, TokenTotals } from './types.ts'

export const sftOptions = aggregationOptions('token-mean')

export function sft(given: OptionsFor<typeof sftOptions>, totals: TokenTotals): PureLoss<MaskedExample> {
  const options = readOptions('sft', sftOptions, given)
  return crossEntropyLoss({ id: 'sft', totals, weight: tokenWeight('sft', options, totals) })
}
