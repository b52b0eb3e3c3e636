import { whiten } from '../advantages/whiten.ts'

/**
 * Rewards of a batch at mean 0 and variance 1, or, with `keepMean`, at their own mean and variance 1.
 *
 * @param rewards [N], finite
 * @returns [N]; without spread zeros (the mean, with `keepMean`)
 */
export function whitenRewards(
  rewards: Float64Array,
  { keepMean = false, epsilon = 1e-8 } = {},
): Float64Array {
  const broken = rewards.findIndex((reward) => !Number.isFinite(reward))
  if (broken >= 0) throw new Error(`whitenRewards: reward ${broken} is ${rewards[broken]}; it must be finite`)
  const mean = keepMean ? rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length : 0
  return whiten(rewards, epsilon).map((reward) => reward + mean)
}
