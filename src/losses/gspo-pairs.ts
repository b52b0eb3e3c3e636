/**
 * Group Structured Preference Optimization: every pair of a group whose scores differ enough, as a mean of DPO losses.
 *
 * Formula: pairs P = {(i, j): score_i - score_j > margin}; -(1/|P|) * sum of w_ij*log s(b*(h_i - h_j)) for each group, mean
 *   over groups with pairs ("groups"), or one mean over all pairs of the batch ("pairs"); w_ij = 1 or score_i - score_j
 * Paper: ours; nearest arXiv 2604.15602
 * Peers: none has this expansion.
 */
import { groupPreferenceLoss } from './group-preference-loss.ts'
import { logSigmoid, sigmoid } from './log-sigmoid.ts'
import { choiceOption, numberOption, type OptionsFor, readOptions } from './options.ts'
import { preferencePairs } from './preference-pairs.ts'
import { checkTotals } from './totals.ts'
import type { GroupTotals, PairTotals, PureLoss, ScoredGroup } from './types.ts'

export const gspoPairsOptions = {
  beta: numberOption('(0, inf)', 0.1, 'strength of the pull to the reference'),
  margin: numberOption('[0, inf)', 0, 'scores must differ by more than this to make a pair'),
  weighting: choiceOption(
    ['uniform', 'score-gap'],
    'uniform',
    'score-gap: a pair counts as much as its scores differ',
  ),
  groupReduction: choiceOption(['groups', 'pairs'], 'groups', 'what is averaged over the batch'),
}

/** `totals.groups` counts groups with at least one pair, `totals.pairs` the pairs of the batch (`preferencePairs`). */
export function gspoPairs(
  given: OptionsFor<typeof gspoPairsOptions>,
  totals: GroupTotals & PairTotals,
): PureLoss<ScoredGroup> {
  const { beta, margin, weighting, groupReduction } = readOptions('gspo-pairs', gspoPairsOptions, given)
  checkTotals('gspo-pairs', totals)
  return groupPreferenceLoss('gspo-pairs', (h, scores) => {
    const pairs = preferencePairs(scores, margin)
    const divisor = groupReduction === 'pairs' ? totals.pairs : pairs.length * totals.groups
    const slopes = new Float64Array(h.length)
    let loss = 0
    let marginSum = 0
    let correct = 0
    for (const [i, j] of pairs) {
      const weight = (weighting === 'uniform' ? 1 : scores[i]! - scores[j]!) / divisor
      const gap = h[i]! - h[j]!
      loss -= weight * logSigmoid(beta * gap)
      const slope = weight * beta * sigmoid(-beta * gap)
      slopes[i]! -= slope
      slopes[j]! += slope
      marginSum += beta * gap
      if (gap > 0) correct++
    }
    return { loss, slopes, metrics: { margin: marginSum / totals.pairs, accuracy: correct / totals.pairs } }
  })
}
