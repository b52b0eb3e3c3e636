import { aggregationOptions, tokenWeight } from './aggregation.ts'
import { clippedValueLoss } from './clipped-value-loss.ts'
import { type OptionsFor, optionalNumberOption, readOptions } from './options.ts'
import type { PureLoss, TokenTotals, ValueExample } from './types.ts'

export const valueLossOptions = {
  clip: optionalNumberOption('(0, inf)', 0.2, 'values may move this far from the old ones; null: no clip'),
  ...aggregationOptions('token-mean'),
}

/** PPO's value loss for a critic of its own: see `clippedValueLoss` for the formula and `ppo` for a shared model. */
export function valueLoss(
  given: OptionsFor<typeof valueLossOptions>,
  totals: TokenTotals,
): PureLoss<ValueExample> {
  const options = readOptions('value', valueLossOptions, given)
  return clippedValueLoss({
    id: 'value',
    totals,
    clip: options.clip,
    weight: tokenWeight('value', options, totals),
  })
}
