/**
 * Group reward-Decoupled normalisation: several rewards, each normalised in its group before they are added.
 *
 * Formula: a_k = (r_k - group mean)/(group std + epsilon) for each reward k, s = sum of w_k*a_k, A = (s - batch mean)/(batch std +
 *   epsilon) over the batch's sequences; sample stds
 * Paper: arXiv 2601.05242
 * Peers: verl normalises over tokens, so that lengths weigh in; NVlabs' trl-GDPO, TRL and we over sequences. With a single reward
 *   NVlabs skips the batch step; we do not. A missing reward is refused here: NVlabs reads it as 0, TRL leaves it out.
 */
import { numberOption, type OptionsFor, readOptions } from '../losses/options.ts'
import { groupNormalised } from './group-normalised.ts'
import { meanAndSpread } from './groups.ts'

export const gdpoDecoupledOptions = {
  epsilon: numberOption('[0, inf)', 1e-4, 'added to both standard deviations'),
}

/**
 * @param rewards [N][K]
 * @param weights [K]
 * @param groups [N], the prompt of each sequence
 * @returns perReward [N][K], combined [N], advantages [N]; zeros where there is no spread
 */
export function gdpoDecoupled(
  given: OptionsFor<typeof gdpoDecoupledOptions>,
  rewards: readonly ArrayLike<number>[],
  weights: ArrayLike<number>,
  groups: ArrayLike<number>,
) {
  const { epsilon } = readOptions('gdpo-decoupled', gdpoDecoupledOptions, given)
  rewards.forEach((row, i) => {
    if (row.length === weights.length) return
    throw new Error(
      `gdpo-decoupled: sequence ${i} has ${row.length} rewards, but there are ${weights.length} weights`,
    )
  })
  const columns = Array.from(weights, (weight, k) => {
    if (!Number.isFinite(weight))
      throw new RangeError(`gdpo-decoupled: weight ${k} is ${weight}; it must be finite`)
    return groupNormalised(
      { epsilon },
      rewards.map((row) => row[k]!),
      groups,
    )
  })
  const perReward = rewards.map((_, i) => columns.map((column) => column[i]!))
  const combined = Float64Array.from(perReward, (row) => row.reduce((sum, a, k) => sum + weights[k]! * a, 0))
  const { mean, std } = meanAndSpread(combined)
  const advantages = combined.map((value) => (std === 0 ? 0 : (value - mean) / (std + epsilon)))
  return { perReward, combined, advantages }
}
