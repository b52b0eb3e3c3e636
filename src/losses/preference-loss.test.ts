import { describe, expect, it } from 'vitest'
import { algorithm } from './registry.ts'

const row = (...numbers: number[]) => Float64Array.from(numbers)
const sequenceOf = (length: number) => ({ input: new Int32Array(length), target: new Int32Array(length) })
const pair = {
  sequences: [sequenceOf(2), sequenceOf(1)],
  masks: [[1, 1], [1]],
  referenceLogprobs: [row(-1, -1), row(-1)],
}
const outputs = (chosen: number[], rejected: number[]) => [
  { logprobs: row(...chosen) },
  { logprobs: row(...rejected) },
]

describe.each(['dpo', 'ipo'] as const)('%s', (id) => {
  const loss = algorithm(id).build({}, { pairs: 1 })

  it('reports rewards, margin and accuracy of the pair', () => {
    const { metrics } = loss(pair, outputs([-0.5, -0.5], [-3]))
    expect(metrics.chosenReward).toBeCloseTo(0.1, 12)
    expect(metrics.rejectedReward).toBeCloseTo(-0.2, 12)
    expect(metrics.margin).toBeCloseTo(0.3, 12)
    expect(metrics.accuracy).toBe(1)
  })

  it('of a batch of pairs, each reports its share of the means', () => {
    const one = loss(pair, outputs([-0.5, -0.5], [-3]))
    const ofFour = algorithm(id).build({}, { pairs: 4 })(pair, outputs([-0.5, -0.5], [-3]))
    expect(ofFour.loss).toBeCloseTo(one.loss / 4, 12)
    for (const [name, value] of Object.entries(one.metrics))
      expect(ofFour.metrics[name]).toBeCloseTo(value / 4, 12)
  })

  it('a pair on which policy and reference agree is not counted as accurate', () => {
    expect(loss(pair, outputs([-1, -1], [-1])).metrics.accuracy).toBe(0)
  })

  it('refuses a response without a trained token', () => {
    expect(() => loss({ ...pair, masks: [[1, 1], [0]] }, outputs([-1, -1], [-1]))).toThrow(
      `${id}: sequence 1 has no trained token, so it cannot be compared`,
    )
  })

  it('refuses anything but two sequences', () => {
    const three = { sequences: [sequenceOf(1)], masks: [[1]], referenceLogprobs: [row(-1)] }
    expect(() => loss(three, [{ logprobs: row(-1) }])).toThrow(/two sequences, chosen first, got 1/)
  })

  it('refuses NaN in policy and reference', () => {
    expect(() => loss(pair, outputs([-1, Number.NaN], [-1]))).toThrow(
      /logprobs is NaN at token 1 of sequence 0/,
    )
    const broken = { ...pair, referenceLogprobs: [row(-1, -1), row(-Infinity)] }
    expect(() => loss(broken, outputs([-1, -1], [-1]))).toThrow(
      /referenceLogprobs is -Infinity at token 0 of sequence 1/,
    )
  })

  it('refuses a missing reference', () => {
    expect(() => loss({ ...pair, referenceLogprobs: [row(-1, -1)] }, outputs([-1, -1], [-1]))).toThrow(
      `${id}: sequence 1 has no referenceLogprobs`,
    )
  })
})

describe('dpo', () => {
  it('stays finite on a pair that the policy is sure of, either way', () => {
    const loss = algorithm('dpo').build({ beta: 1 }, { pairs: 1 })
    expect(loss(pair, outputs([-9000, -1], [-1])).loss).toBeCloseTo(8999, 6)
    expect(loss(pair, outputs([-1, -1], [-9000])).loss).toBe(0)
  })
})
