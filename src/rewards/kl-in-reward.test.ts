import { describe, expect, it } from 'vitest'
import { klInReward } from './kl-in-reward.ts'

const row = (...numbers: number[]) => Float64Array.from(numbers)
const batch = {
  logprobs: [row(-1, -5, -2, -9)],
  referenceLogprobs: [row(-2, 0, -1.5, 0)],
  masks: [[1, 0, 1, 0]],
  scores: [3],
}

describe('klInReward', () => {
  it('pays the score on the last action token and the KL on each', () => {
    const { tokenRewards, kl, sequenceKl, meanKl } = klInReward({ beta: 0.1 }, batch)
    expect([...tokenRewards[0]!]).toEqual([-0.1, 0, 3.05, 0])
    expect([...kl[0]!]).toEqual([1, 0, -0.5, 0])
    expect(sequenceKl[0]).toBe(0.5)
    expect(meanKl).toBe(0.25)
  })
  it('clips the score, not the KL', () => {
    const { tokenRewards } = klInReward({ beta: 0.1 }, batch, [-1, 1])
    expect([...tokenRewards[0]!]).toEqual([-0.1, 0, 1.05, 0])
  })
  it('refuses a response without actions, NaN and bounds in the wrong order', () => {
    expect(() => klInReward({}, { ...batch, masks: [[0, 0, 0, 0]] })).toThrow(
      /no token with mask 1 to carry its score/,
    )
    expect(() => klInReward({}, { ...batch, scores: [Number.NaN] })).toThrow(/the score is NaN/)
    expect(() => klInReward({}, { ...batch, logprobs: [row(Number.NaN, 0, 0, 0)] })).toThrow(
      /logprobs is NaN at token 0/,
    )
    expect(() => klInReward({}, { ...batch, logprobs: [row(0)] })).toThrow(
      /logprobs of sequence 0 has 1 entries/,
    )
    expect(() => klInReward({}, batch, [1, -1])).toThrow(/low <= high, got \[1, -1\]/)
  })
})
