/**
 * Generalised advantage estimation on the compacted action tokens: tool output is dropped first.
 *
 * Formula: delta_j = r_j + gamma*V_{j+1} - V_j, A_j = delta_j + gamma*lambda*A_{j+1} over action tokens, returns = A + V
 * Paper: arXiv 1506.02438
 * Peers: three answers for lambda < 1 when there are tool tokens: verl compacts, as we do; OpenRLHF lets lambda decay over
 *   observations; in SkyRL, slime and TRL the values of observations enter. At lambda = 1 and gamma = 1 all agree.
 */
import type { FloatArray } from '../engine/contract.ts'
import { checkLength, finite } from '../losses/arrays.ts'
import { numberOption, type OptionsFor, readOptions } from '../losses/options.ts'
import { explainedVariance } from './explained-variance.ts'
import { actionTokens, type Trajectory } from './trajectory.ts'

export const gaeOptions = {
  gamma: numberOption('[0, 1]', 1, 'discount of the next action token'),
  lambda: numberOption('[0, 1]', 0.95, '0: one-step errors, least variance; 1: whole returns, no bias'),
}

export interface ValuedTrajectory extends Trajectory {
  /** [T], read on action tokens only. */
  values: FloatArray
  /** Value after the last token of a trajectory that was cut short; 0 where it ended. */
  bootstrapValue?: number
}

/**
 * @returns advantages and returns, [T] a trajectory, 0 where the mask is 0; and the explained variance of the values
 */
export function gae(given: OptionsFor<typeof gaeOptions>, trajectories: readonly ValuedTrajectory[]) {
  const { gamma, lambda } = readOptions('gae', gaeOptions, given)
  const returns: Float64Array[] = []
  const advantages = trajectories.map((trajectory, s) => {
    const values = checkLength('gae', 'values', s, trajectory.values, trajectory.mask.length)
    const row = new Float64Array(values.length)
    const target = new Float64Array(values.length)
    let next = finite('gae', 'bootstrapValue', s, values.length, trajectory.bootstrapValue ?? 0)
    let advantage = 0
    for (const t of actionTokens('gae', trajectory, s).reverse()) {
      const value = finite('gae', 'values', s, t, values[t])
      advantage = trajectory.rewards[t]! + gamma * next - value + gamma * lambda * advantage
      next = value
      row[t] = advantage
      target[t] = advantage + value
    }
    returns.push(target)
    return row
  })
  const masks = trajectories.map(({ mask }) => mask)
  const values = trajectories.map((trajectory) => trajectory.values)
  return { advantages, returns, metrics: { explainedVariance: explainedVariance(values, returns, masks) } }
}
