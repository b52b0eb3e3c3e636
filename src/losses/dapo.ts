/**
 * Decoupled clip and dynamic sampling policy optimisation.
 *
 * Formula: sum over the batch of -min(r*A, clip(r, 1 - 0.2, 1 + 0.28)*A) / tokens, with A as in `grpo`; groups whose rewards
 *   have no spread are dropped (`keptGroups` in `whetstone/advantages`) and the totals count what is kept; long responses
 *   lose reward softly (`softOverlongPenalty` in `whetstone/rewards`)
 * Paper: arXiv 2503.14476
 * Peers: TRL keeps groups without spread in the denominator; the paper, slime and we drop them.
 */
import { aggregationOptions, tokenWeight } from './aggregation.ts'
import { type OptionsFor, readOptions } from './options.ts'
import { policyLoss } from './policy-loss.ts'
import { clipOptions, dualClipOption } from './policy-options.ts'
import { clippedSurrogate } from './surrogate.ts'
import type { PolicyExample, PureLoss, TokenTotals } from './types.ts'

export const dapoOptions = {
  ...clipOptions(0.2, 0.28),
  dualClip: dualClipOption,
  ...aggregationOptions('token-mean'),
}

export function dapo(given: OptionsFor<typeof dapoOptions>, totals: TokenTotals): PureLoss<PolicyExample> {
  const options = readOptions('dapo', dapoOptions, given)
  const { clipLow, clipHigh, dualClip } = options
  return policyLoss({
    ...options,
    id: 'dapo',
    totals,
    weight: tokenWeight('dapo', options, totals),
    term: clippedSurrogate(clipLow, clipHigh, dualClip),
  })
}
