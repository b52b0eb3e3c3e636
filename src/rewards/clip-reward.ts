import { clip } from '../losses/clip.ts'

/** The reward held to [low, high]. @throws RangeError when the bounds are not finite and in order, Error when the reward is NaN */
export function clipReward(reward: number, [low, high]: readonly [number, number]): number {
  if (!(Number.isFinite(low) && Number.isFinite(high) && low <= high)) {
    throw new RangeError(`clipReward: bounds must be finite with low <= high, got [${low}, ${high}]`)
  }
  if (Number.isNaN(reward)) throw new Error('clipReward: the reward is NaN')
  return clip(reward, low, high)
}
