/**
 * Advantages of REINFORCE++: whitened over all action tokens of the batch.
 *
 * Formula: plain: whiten(G), G_t = r_t + gamma*G_next, the token rewards holding -beta*KL; baseline: whiten(reward - group mean) on
 *   every action token
 * Paper: arXiv 2501.03262
 * Peers: verl, SkyRL and slime take the sample variance, OpenRLHF the population's (ddof). SkyRL's returns before a tool call
 *   lose the final reward, OpenRLHF and slime discount over tool tokens; ours pass over them.
 */
import { choiceOption, numberOption, type OptionsFor, readOptions } from '../losses/options.ts'
import type { Mask } from '../losses/types.ts'
import { discountedReturns } from './discounted-returns.ts'
import { groupNormalised } from './group-normalised.ts'
import type { Trajectory } from './trajectory.ts'
import { whitenTokens } from './whiten.ts'

const whitenOptions = {
  ddof: choiceOption(['0', '1'], '1', 'the variance divides by n - ddof'),
  whitenEpsilon: numberOption('(0, inf)', 1e-8, 'added to the variance'),
}
export const reinforcePlusPlusAdvantageOptions = {
  gamma: numberOption('[0, 1]', 1, 'discount of the next action token'),
  ...whitenOptions,
}

/** @returns returns and advantages, [T] a trajectory, 0 where the mask is 0 */
export function reinforcePlusPlusAdvantages(
  given: OptionsFor<typeof reinforcePlusPlusAdvantageOptions>,
  trajectories: readonly Trajectory[],
): { returns: Float64Array[]; advantages: Float64Array[] } {
  const options = readOptions('reinforce-plus-plus', reinforcePlusPlusAdvantageOptions, given)
  const returns = discountedReturns('reinforce-plus-plus', options.gamma, trajectories)
  const masks = trajectories.map(({ mask }) => mask)
  const ddof = options.ddof === '0' ? 0 : 1
  return { returns, advantages: whitenTokens(returns, masks, options.whitenEpsilon, ddof) }
}

/**
 * The baseline variant.
 *
 * @param rewards [N], one a sequence
 * @param groups [N], the prompt of each sequence
 * @returns advantages, [T] a sequence, 0 where the mask is 0
 */
export function reinforcePlusPlusBaseline(
  given: OptionsFor<typeof whitenOptions>,
  rewards: ArrayLike<number>,
  groups: ArrayLike<number>,
  masks: readonly Mask[],
): Float64Array[] {
  const options = readOptions('reinforce-plus-plus', whitenOptions, given)
  const centred = groupNormalised({ normalise: 'none' }, rewards, groups)
  const rows = masks.map((mask, s) => new Float64Array(mask.length).fill(centred[s]!))
  return whitenTokens(rows, masks, options.whitenEpsilon, options.ddof === '0' ? 0 : 1)
}
