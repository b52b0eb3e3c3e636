import { describe, expect, it } from 'vitest'
import { reinforceAdvantages } from './reinforce.ts'
import { reinforcePlusPlusAdvantages, reinforcePlusPlusBaseline } from './reinforce-plus-plus.ts'
import { whiten, whitenTokens } from './whiten.ts'

describe('whiten', () => {
  it('gives mean 0 and the variance that ddof names', () => {
    expect([...whiten(Float64Array.of(1, 3), 0)]).toEqual(
      [-1 / Math.SQRT2, 1 / Math.SQRT2].map((x) => expect.closeTo(x, 12)),
    )
    expect([...whiten(Float64Array.of(1, 3), 0, 0)]).toEqual([-1, 1])
  })
  it('a single number and equal numbers give zeros', () => {
    expect([...whiten(Float64Array.of(4))]).toEqual([0])
    expect([...whiten(Float64Array.of(0.1, 0.1, 0.1), 0)]).toEqual([0, 0, 0])
    expect([...whiten(new Float64Array(0))]).toEqual([])
  })
  it('over tokens it sees trained ones only', () => {
    const rows = whitenTokens([Float64Array.of(1, 99), Float64Array.of(3)], [[1, 0], [1]], 0, 0)
    expect(rows.map((row) => [...row])).toEqual([[-1, 0], [1]])
  })
})

describe('reinforce advantages', () => {
  it('subtract the cost of the KL before they are whitened', () => {
    const [a, b] = reinforceAdvantages({ klCoefficient: 1, whitenEpsilon: 1e-12 }, [1, 1], [0, 2])
    expect(a).toBeCloseTo(Math.SQRT1_2, 6)
    expect(b).toBeCloseTo(-Math.SQRT1_2, 6)
  })
  it('refuse a coefficient without KL, and numbers that are not finite', () => {
    expect(() => reinforceAdvantages({ klCoefficient: 1 }, [1, 1])).toThrow(
      /each of the 2 sequences needs its KL/,
    )
    expect(() => reinforceAdvantages({}, [1, Number.NaN])).toThrow(/sequence 1 is not finite/)
  })
})

describe('reinforce-plus-plus advantages', () => {
  const trajectory = { mask: [1, 0, 1], rewards: Float64Array.of(0, 0, 1) }
  it('rewards pass over tool tokens without decay', () => {
    const { returns } = reinforcePlusPlusAdvantages({ gamma: 0.5 }, [trajectory])
    expect([...returns[0]!]).toEqual([0.5, 0, 1])
  })
  it('equal rewards in every group give zeros in the baseline variant', () => {
    const rows = reinforcePlusPlusBaseline({}, [1, 1, 0, 0], [0, 0, 1, 1], [[1], [1, 1], [1], [1, 0]])
    expect(rows.map((row) => [...row])).toEqual([[0], [0, 0], [0], [0, 0]])
  })
  it('refuse NaN among the rewards', () => {
    const broken = { ...trajectory, rewards: Float64Array.of(0, 0, Number.NaN) }
    expect(() => reinforcePlusPlusAdvantages({}, [broken])).toThrow(/rewards is NaN at token 2/)
  })
})
