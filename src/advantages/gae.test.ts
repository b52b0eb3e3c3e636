import { describe, expect, it } from 'vitest'
import { gae, type ValuedTrajectory } from './gae.ts'

const trajectory = (changes: Partial<ValuedTrajectory> = {}): ValuedTrajectory => ({
  mask: [1, 1, 0, 0, 1, 1],
  rewards: Float64Array.of(0, 0, 0, 0, 0, 1),
  values: Float64Array.of(0.5, 0.5, 0.9, 0.9, 0.5, 0.5),
  ...changes,
})

describe('gae', () => {
  it('drops tool tokens first: the worked example', () => {
    const { advantages } = gae({ gamma: 1, lambda: 0.95 }, [trajectory()])
    expect([...advantages[0]!].map((a) => a.toFixed(4))).toEqual([
      '0.4287',
      '0.4512',
      '0.0000',
      '0.0000',
      '0.4750',
      '0.5000',
    ])
  })
  it('lambda 1 gives returns minus values, lambda 0 one-step errors', () => {
    const whole = gae({ gamma: 1, lambda: 1 }, [trajectory()])
    expect([...whole.advantages[0]!]).toEqual([0.5, 0.5, 0, 0, 0.5, 0.5])
    expect([...whole.returns[0]!]).toEqual([1, 1, 0, 0, 1, 1])
    const step = gae({ gamma: 0.5, lambda: 0 }, [trajectory()])
    expect([...step.advantages[0]!]).toEqual([-0.25, -0.25, 0, 0, -0.25, 0.5])
  })
  it('a trajectory that was cut short goes on with its bootstrap value', () => {
    const cut = trajectory({ bootstrapValue: 2, rewards: new Float64Array(6) })
    expect(gae({ gamma: 0.5, lambda: 0 }, [cut]).advantages[0]![5]).toBe(0.5)
  })
  it('a trajectory without actions has no advantages', () => {
    const { advantages } = gae({}, [trajectory({ mask: [0, 0, 0, 0, 0, 0], rewards: new Float64Array(6) })])
    expect([...advantages[0]!]).toEqual([0, 0, 0, 0, 0, 0])
  })
  it('reports how much of the returns the values explain', () => {
    const row = (...numbers: number[]) => Float64Array.from(numbers)
    const perfect = { mask: [1, 1], rewards: row(1, 1), values: row(2, 1) }
    expect(gae({ gamma: 1, lambda: 1 }, [perfect]).metrics.explainedVariance).toBe(1)
    const blind = { mask: [1, 1], rewards: row(1, 1), values: row(7, 7) }
    expect(gae({ gamma: 1, lambda: 1 }, [blind]).metrics.explainedVariance).toBe(0)
    expect(gae({ gamma: 1, lambda: 1 }, [trajectory()]).metrics.explainedVariance).toBe(0)
  })
  it('refuses NaN, arrays that do not align and rewards on tokens that are no actions', () => {
    const nan = Float64Array.of(0, 0, 0, 0, 0, Number.NaN)
    expect(() => gae({}, [trajectory({ rewards: nan })])).toThrow(/rewards is NaN at token 5 of sequence 0/)
    expect(() => gae({}, [trajectory({ values: nan })])).toThrow(/values is NaN at token 5/)
    expect(() => gae({}, [trajectory({ bootstrapValue: Infinity })])).toThrow(/bootstrapValue is Infinity/)
    expect(() => gae({}, [trajectory({ values: new Float64Array(2) })])).toThrow(
      /values of sequence 0 has 2 entries/,
    )
    const misplaced = Float64Array.of(0, 0, 1, 0, 0, 0)
    expect(() => gae({}, [trajectory({ rewards: misplaced })])).toThrow(
      /reward 1 but mask 0; credit it to an action/,
    )
  })
})
