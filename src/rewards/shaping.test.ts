import { describe, expect, it } from 'vitest'
import { adaptKlCoefficient } from './adaptive-kl.ts'
import { clipReward } from './clip-reward.ts'
import { whitenRewards } from './whiten-rewards.ts'

describe('adaptKlCoefficient', () => {
  const adapt = (kl: number, steps = 10) => adaptKlCoefficient({ target: 2, horizon: 100 }, 0.1, kl, steps)
  it('rises above the target, falls below it, stays on it', () => {
    expect(adapt(2.2)).toBeCloseTo(0.1 * 1.01, 12)
    expect(adapt(1.8)).toBeCloseTo(0.1 * 0.99, 12)
    expect(adapt(2)).toBe(0.1)
  })
  it('moves by a fifth of steps/horizon at most, and never below 0', () => {
    expect(adapt(900)).toBeCloseTo(0.102, 12)
    expect(adapt(0)).toBeCloseTo(0.098, 12)
    expect(adapt(0, 1000)).toBe(0)
  })
  it('without steps, and from 0, it stays', () => {
    expect(adapt(9, 0)).toBe(0.1)
    expect(adaptKlCoefficient({}, 0, 9, 10)).toBe(0)
  })
  it('refuses a KL, coefficient or number of steps that is none', () => {
    expect(() => adapt(Number.NaN)).toThrow(/observed KL is NaN/)
    expect(() => adapt(1, -1)).toThrow(/steps must be a finite number of at least 0, got -1/)
    expect(() => adaptKlCoefficient({}, Number.NaN, 1, 1)).toThrow(/coefficient must be .* got NaN/)
  })
})

describe('clipReward', () => {
  it('holds the reward to its bounds', () => {
    expect([-9, 0.5, 9, Infinity].map((reward) => clipReward(reward, [-1, 2]))).toEqual([-1, 0.5, 2, 2])
  })
  it('refuses NaN', () => {
    expect(() => clipReward(Number.NaN, [0, 1])).toThrow(/the reward is NaN/)
  })
})

describe('whitenRewards', () => {
  it('gives mean 0 and variance 1, or keeps the mean', () => {
    expect([...whitenRewards(Float64Array.of(1, 3), { epsilon: 0 })][1]).toBeCloseTo(Math.SQRT1_2, 12)
    expect([...whitenRewards(Float64Array.of(1, 3), { epsilon: 0, keepMean: true })][1]).toBeCloseTo(
      2 + Math.SQRT1_2,
      12,
    )
  })
  it('equal rewards give zeros, or their mean', () => {
    expect([...whitenRewards(Float64Array.of(5, 5))]).toEqual([0, 0])
    expect([...whitenRewards(Float64Array.of(5, 5), { keepMean: true })]).toEqual([5, 5])
  })
  it('refuses a reward that is not finite', () => {
    expect(() => whitenRewards(Float64Array.of(1, Infinity))).toThrow(/reward 1 is Infinity/)
  })
})
