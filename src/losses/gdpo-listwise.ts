/**
 * Group Direct Preference Optimization, listwise form: a softmax over the group, in which the responses above the mean win.
 *
 * Formula: -mean over winners (score > group mean) of log softmax(b*h); mean over groups with winners
 * Paper: ours; no paper has this expansion
 * Peers: none.
 */
import { centred, groupPreferenceLoss } from './group-preference-loss.ts'
import { numberOption, type OptionsFor, readOptions } from './options.ts'
import { checkTotals } from './totals.ts'
import type { GroupTotals, PureLoss, ScoredGroup } from './types.ts'

export const gdpoListwiseOptions = {
  beta: numberOption('(0, inf)', 0.1, 'strength of the pull to the reference'),
}

/** `totals.groups` counts groups with spread. A group without spread has loss 0. */
export function gdpoListwise(
  given: OptionsFor<typeof gdpoListwiseOptions>,
  totals: GroupTotals,
): PureLoss<ScoredGroup> {
  const { beta } = readOptions('gdpo-listwise', gdpoListwiseOptions, given)
  checkTotals('gdpo-listwise', totals)
  return groupPreferenceLoss('gdpo-listwise', (h, scores) => {
    const wins = centred(scores).map((a) => (a > 0 ? 1 : 0))
    const winners = wins.reduce((sum, win) => sum + win, 0)
    const slopes = new Float64Array(h.length)
    if (winners === 0) return { loss: 0, slopes, metrics: { winnerProbability: 0 } }
    const largest = h.reduce((max, x) => Math.max(max, beta * x), -Infinity)
    const logSum = largest + Math.log(h.reduce((sum, x) => sum + Math.exp(beta * x - largest), 0))
    let loss = 0
    let winnerProbability = 0
    for (let i = 0; i < h.length; i++) {
      const logProbability = beta * h[i]! - logSum
      const probability = Math.exp(logProbability)
      const share = wins[i]! / winners
      loss -= (share * logProbability) / totals.groups
      slopes[i] = (beta * (probability - share)) / totals.groups
      if (wins[i] === 1) winnerProbability += probability / totals.groups
    }
    return { loss, slopes, metrics: { winnerProbability } }
  })
}
