/**
 * Group Direct Preference Optimization, contrast form: each response against the mean of the others, weighted by how far its
 * score is from the group's mean.
 *
 * Formula: -sum of |a_i|*log s(sign(a_i)*b*(h_i - mean of the other h)) / sum of |a_i|, a = score - group mean; mean over
 *   groups with spread
 * Paper: ours; no paper has this expansion
 * Peers: none.
 */
import { centred, groupPreferenceLoss } from './group-preference-loss.ts'
import { logSigmoid, sigmoid } from './log-sigmoid.ts'
import { numberOption, type OptionsFor, readOptions } from './options.ts'
import { checkTotals } from './totals.ts'
import type { GroupTotals, PureLoss, ScoredGroup } from './types.ts'

export const gdpoContrastOptions = {
  beta: numberOption('(0, inf)', 0.1, 'strength of the pull to the reference'),
}

/** `totals.groups` counts groups with spread. A group without spread has loss 0. */
export function gdpoContrast(
  given: OptionsFor<typeof gdpoContrastOptions>,
  totals: GroupTotals,
): PureLoss<ScoredGroup> {
  const { beta } = readOptions('gdpo-contrast', gdpoContrastOptions, given)
  checkTotals('gdpo-contrast', totals)
  return groupPreferenceLoss('gdpo-contrast', (h, scores) => {
    const advantages = centred(scores)
    const slopes = new Float64Array(h.length)
    const divisor = totals.groups * advantages.reduce((sum, a) => sum + Math.abs(a), 0)
    const hSum = h.reduce((sum, x) => sum + x, 0)
    const others = h.length - 1
    let loss = 0
    let margin = 0
    let correct = 0
    for (let i = 0; divisor > 0 && i < h.length; i++) {
      const weight = Math.abs(advantages[i]!) / divisor
      const signedBeta = Math.sign(advantages[i]!) * beta
      const gap = signedBeta * (h[i]! - (hSum - h[i]!) / others)
      loss -= weight * logSigmoid(gap)
      const slope = weight * signedBeta * sigmoid(-gap)
      for (let j = 0; j < h.length; j++) slopes[j]! += j === i ? -slope : slope / others
      margin += weight * gap
      if (gap > 0) correct += weight
    }
    return { loss, slopes, metrics: { margin, accuracy: correct } }
  })
}
