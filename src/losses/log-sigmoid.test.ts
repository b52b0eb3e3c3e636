import { describe, expect, it } from 'vitest'
import { logSigmoid, sigmoid } from './log-sigmoid.ts'

describe('logSigmoid and sigmoid', () => {
  it('neither overflow nor lose the tail', () => {
    expect(logSigmoid(-1000)).toBe(-1000)
    expect(logSigmoid(1000)).toBeCloseTo(0, 300)
    expect(logSigmoid(40)).toBeCloseTo(-Math.exp(-40), 30)
    expect(sigmoid(-700)).toBeCloseTo(Math.exp(-700), 310)
    expect(sigmoid(-800)).toBe(0)
    expect(sigmoid(800)).toBe(1)
  })
  it('agree with the definition in between', () => {
    for (const x of [-3, -0.1, 0, 0.1, 3]) {
      expect(sigmoid(x)).toBeCloseTo(1 / (1 + Math.exp(-x)), 15)
      expect(logSigmoid(x)).toBeCloseTo(Math.log(sigmoid(x)), 14)
    }
  })
})
