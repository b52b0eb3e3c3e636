/**
 * Masked language modelling: cross-entropy on the tokens that were hidden from the model.
 *
 * Formula: -mean over hidden tokens of l; `hideTokens` hides 15 % of the tokens: 80 % of those become the mask token, 10 % a
 *   random token, 10 % stay as they are
 * Paper: arXiv 1810.04805
 * Peers: agree.
 */
import { crossEntropyLoss } from './cross-entropy-loss.ts'
import { type OptionsFor, readOptions } from './options.ts'
import type { MaskedExample, PureLoss, TokenTotals } from './types.ts'

export const mlmOptions = {}

/** The mask of the example is 1 on hidden tokens, as `hideTokens` returns it. */
export function mlm(given: OptionsFor<typeof mlmOptions>, totals: TokenTotals): PureLoss<MaskedExample> {
  readOptions('mlm', mlmOptions, given)
  return crossEntropyLoss({ id: 'mlm', totals, weight: () => 1 / totals.tokens })
}
