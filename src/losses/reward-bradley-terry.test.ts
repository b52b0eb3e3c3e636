import { describe, expect, it } from 'vitest'
import { algorithm } from './registry.ts'

const sequence = { input: new Int32Array(3), target: new Int32Array(3) }
const example = {
  sequences: [sequence, sequence],
  masks: [
    [1, 1, 0],
    [0, 1, 1],
  ],
}
const outputs = (chosen: number[], rejected: number[]) =>
  [chosen, rejected].map((values) => ({ logprobs: new Float64Array(3), values: Float64Array.from(values) }))
const loss = algorithm('reward-bradley-terry').build({}, { pairs: 1 })

describe('reward-bradley-terry', () => {
  it('reads the score at the last trained token and sends the gradient there', () => {
    const { gradients, metrics } = loss(example, outputs([9, 2, 9], [9, 9, 0.5]))
    expect(metrics).toEqual({ accuracy: 1, margin: 1.5 })
    const slope = 1 / (1 + Math.exp(1.5))
    expect([...gradients[0]!.values!]).toEqual([0, expect.closeTo(-slope, 12), 0])
    expect([...gradients[1]!.values!]).toEqual([0, 0, expect.closeTo(slope, 12)])
  })
  it('equal scores are not accurate', () => {
    expect(loss(example, outputs([0, 1, 0], [0, 0, 1])).metrics.accuracy).toBe(0)
  })
  it('refuses a response without a trained token, a missing head, NaN, and a margin that is not finite', () => {
    const nothing = {
      ...example,
      masks: [
        [1, 1, 0],
        [0, 0, 0],
      ],
    }
    expect(() => loss(nothing, outputs([1, 1, 1], [1, 1, 1]))).toThrow(/sequence 1 has no token with mask 1/)
    const headless = [{ logprobs: new Float64Array(3) }, { logprobs: new Float64Array(3) }]
    expect(() => loss(example, headless)).toThrow(/sequence 0 has no values/)
    expect(() => loss(example, outputs([1, Number.NaN, 1], [1, 1, 1]))).toThrow(/values is NaN at token 1/)
    expect(() => loss({ ...example, margin: Infinity }, outputs([1, 1, 1], [1, 1, 1]))).toThrow(
      /margin is Infinity/,
    )
    const one = { sequences: [sequence], masks: [[1, 1, 1]] }
    expect(() => loss(one, outputs([1, 1, 1], [1, 1, 1]).slice(1))).toThrow(/two sequences/)
  })
})
