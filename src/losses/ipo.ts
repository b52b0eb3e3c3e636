/**
 * Identity preference optimisation: the gap is drawn to a fixed size, so certain preferences cannot push it without end.
 *
 * Formula: mean over pairs of ((h_w - h_l) - 1/(2b))^2, h = sum of m*(l - lr)
 * Paper: arXiv 2310.12036
 * Peers: TRL divides each h by its number of tokens; the original repository, OpenRLHF and we take sums as in the paper
 *   (lengthNormalised gives TRL's form).
 */
import { booleanOption, numberOption, type OptionsFor, readOptions } from './options.ts'
import { preferenceLoss } from './preference-loss.ts'
import type { PairTotals, PreferenceExample, PureLoss } from './types.ts'

export const ipoOptions = {
  beta: numberOption('(0, inf)', 0.1, 'the gap is drawn to 1/(2*beta), in nats'),
  lengthNormalised: booleanOption(false, 'divide each h by its number of trained tokens'),
}

export function ipo(given: OptionsFor<typeof ipoOptions>, totals: PairTotals): PureLoss<PreferenceExample> {
  const { beta, lengthNormalised } = readOptions('ipo', ipoOptions, given)
  return preferenceLoss({
    id: 'ipo',
    totals,
    beta,
    lengthNormalised,
    link: (gap) => {
      const miss = gap - 1 / (2 * beta)
      return { value: miss * miss, derivative: 2 * miss }
    },
  })
}
