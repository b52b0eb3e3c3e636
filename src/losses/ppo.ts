/**
 * Proximal policy optimisation: clipped surrogate, with value loss and entropy bonus when the model reports them.
 *
 * Formula: -min(r*A, clip(r, 1 - clipLow, 1 + clipHigh)*A); A < 0 and a dual clip c: at most -c*A;
 *   + valueCoefficient * 1/2 * max((V - R)^2, (clip(V, Vold - valueClip, Vold + valueClip) - R)^2) - entropyCoefficient * H
 * Paper: arXiv 1707.06347; dual clip 1912.09729
 * Peers: verl always applies a dual clip of 3; TRL, OpenRLHF and slime do not unless asked, nor do we. slime leaves out the
 *   1/2 of the value loss; TRL, verl, OpenRLHF, SkyRL and we keep it.
 */
import { aggregationOptions, tokenWeight } from './aggregation.ts'
import { clippedValueLoss } from './clipped-value-loss.ts'
import { entropyBonus } from './entropy-bonus.ts'
import { numberOption, type OptionsFor, optionalNumberOption, readOptions } from './options.ts'
import { policyLoss } from './policy-loss.ts'
import { clipOptions, dualClipOption } from './policy-options.ts'
import { sumLosses } from './sum-losses.ts'
import { clippedSurrogate } from './surrogate.ts'
import type { PolicyExample, PureLoss, TokenTotals, ValueExample } from './types.ts'

export const ppoOptions = {
  ...clipOptions(0.2, 0.2),
  dualClip: dualClipOption,
  valueCoefficient: numberOption(
    '[0, inf)',
    0,
    'weight of the value loss for a policy with a value head; a critic of its own trains on the value loss alone',
  ),
  valueClip: optionalNumberOption(
    '(0, inf)',
    0.2,
    'values may move this far from the old ones; null: no clip',
  ),
  entropyCoefficient: numberOption(
    '[0, inf)',
    0,
    'weight of the mean entropy that is subtracted from the loss',
  ),
  ...aggregationOptions('token-mean'),
}

export function ppo(
  given: OptionsFor<typeof ppoOptions>,
  totals: TokenTotals,
): PureLoss<PolicyExample & Partial<ValueExample>> {
  const options = readOptions('ppo', ppoOptions, given)
  const { clipLow, clipHigh, dualClip, valueClip, valueCoefficient, entropyCoefficient } = options
  const weight = tokenWeight('ppo', options, totals)
  const policy = policyLoss({
    id: 'ppo',
    totals,
    weight,
    term: clippedSurrogate(clipLow, clipHigh, dualClip),
    clipLow,
    clipHigh,
    dualClip,
  })
  const value = clippedValueLoss({
    id: 'ppo',
    totals,
    clip: valueClip,
    weight: (n) => valueCoefficient * weight(n),
  })
  const entropy = entropyBonus({ id: 'ppo', weight: (n) => entropyCoefficient * weight(n) })
  return sumLosses([
    policy,
    ...(valueCoefficient > 0 ? [value] : []),
    ...(entropyCoefficient > 0 ? [entropy] : []),
  ])
}
