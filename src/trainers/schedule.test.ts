import { describe, expect, it } from 'vitest'
import { learningRateShare, type Schedule } from './schedule.ts'

const shares = (steps: number, options: Schedule) =>
  Array.from({ length: steps }, (_, step) => learningRateShare(step, steps, options))

describe('learningRateShare', () => {
  it('stays as it is by default', () => {
    expect(shares(3, {})).toEqual([1, 1, 1])
  })

  it('climbs to full height in the steps of the warm-up, from above 0', () => {
    expect(shares(6, { warmupSteps: 4 })).toEqual([0.25, 0.5, 0.75, 1, 1, 1])
  })

  it('goes down a line after the warm-up and wastes no step on 0', () => {
    expect(shares(6, { schedule: 'linear', warmupSteps: 2 })).toEqual([0.5, 1, 1, 0.75, 0.5, 0.25])
  })

  it('goes down half a cosine to the final share', () => {
    const [first, , middle, , last] = shares(5, { schedule: 'cosine', warmupSteps: 1, finalShare: 0.2 })
    expect(first).toBe(1)
    expect(learningRateShare(3, 5, { schedule: 'cosine', warmupSteps: 1, finalShare: 0.2 })).toBeCloseTo(
      0.6,
      12,
    )
    expect(middle).toBeGreaterThan(last!)
    expect(learningRateShare(5, 5, { schedule: 'cosine', finalShare: 0.2 })).toBeCloseTo(0.2, 12)
    expect(learningRateShare(9, 5, { schedule: 'linear', finalShare: 0.2 })).toBeCloseTo(0.2, 12)
  })

  it('with a warm-up longer than the stage only climbs', () => {
    expect(shares(2, { schedule: 'linear', warmupSteps: 4 })).toEqual([0.25, 0.5])
  })
})
