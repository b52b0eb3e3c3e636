import { describe, expect, it } from 'vitest'
import { keptGroups } from './dynamic-sampling.ts'
import { gdpoDecoupled } from './gdpo-decoupled.ts'
import { groupNormalised } from './group-normalised.ts'
import { leaveOneOut } from './rloo.ts'

const estimators = {
  'group-normalised': (rewards: number[], groups: number[]) => [...groupNormalised({}, rewards, groups)],
  'without std': (rewards: number[], groups: number[]) => [
    ...groupNormalised({ normalise: 'none' }, rewards, groups),
  ],
  'leave-one-out': (rewards: number[], groups: number[]) => [...leaveOneOut(rewards, groups)],
  'gdpo-decoupled': (rewards: number[], groups: number[]) => [
    ...gdpoDecoupled(
      {},
      rewards.map((reward) => [reward]),
      [1],
      groups,
    ).advantages,
  ],
}

describe.each(Object.entries(estimators))('%s', (_, advantages) => {
  it('a group of one gets 0', () => {
    expect(advantages([5, 1, 2, 1], [0, 1, 1, 1])[0]).toBeCloseTo(0, 12)
    expect(advantages([5], [0])).toEqual([0])
  })
  it('equal rewards get exactly 0, also where their mean is not exact', () => {
    expect(advantages([0.1, 0.1, 0.1], [0, 0, 0])).toEqual([0, 0, 0])
    expect(0.1 + 0.1 + 0.1).not.toBe(0.3)
  })
  it('a group without spread gets 0 also when epsilon is 0', () => {
    expect([...groupNormalised({ epsilon: 0 }, [2, 2], [0, 0])]).toEqual([0, 0])
  })
  it('groups may be interleaved', () => {
    const [a, b, c, d] = advantages([1, 0, 3, 0], [7, 2, 7, 2])
    expect(b).toBeCloseTo(0, 12)
    expect(d).toBeCloseTo(0, 12)
    expect(a).toBeCloseTo(-c!, 12)
  })
  it('refuses rewards that are not finite, that do not match the groups, or that are none', () => {
    expect(() => advantages([1, Number.NaN], [0, 0])).toThrow(
      /reward of sequence 1 is NaN; it must be finite/,
    )
    expect(() => advantages([1, -Infinity], [0, 0])).toThrow(/reward of sequence 1 is -Infinity/)
    expect(() => advantages([1, 2], [0])).toThrow(/2 rewards, but 1 groups/)
    expect(() => advantages([], [])).toThrow(/no rewards/)
  })
})

describe('dynamic sampling', () => {
  it('keeps groups with spread, whatever their mean', () => {
    expect(keptGroups([1, 0, 1, 1, 0.5, 0.5, 0, 0, -1, 1], [3, 3, 1, 1, 2, 2, 4, 4, 9, 9])).toEqual([3, 9])
  })
  it('takes a spread below the threshold for none', () => {
    expect(keptGroups([1, 1 + 1e-7, 1, 1 + 1e-5], [0, 0, 1, 1])).toEqual([1])
  })
})

describe('gdpo-decoupled', () => {
  it('refuses a missing reward and weights that do not match', () => {
    const missing = [
      [1, 0],
      [0, null as unknown as number],
    ]
    expect(() => gdpoDecoupled({}, missing, [1, 1], [0, 0])).toThrow(/reward of sequence 1 is null/)
    expect(() => gdpoDecoupled({}, [[1], [0]], [1, 1], [0, 0])).toThrow(
      /sequence 0 has 1 rewards, but there are 2 weights/,
    )
    expect(() => gdpoDecoupled({}, [[1], [0]], [Number.NaN], [0, 0])).toThrow(/weight 0 is NaN/)
  })
})
