import { describe, expect, it } from 'vitest'
import { classifySteps } from './process-reward.ts'
import { algorithm } from './registry.ts'

const labels = [1, -100, 0, 1]
const values = Float64Array.of(0.3, 9, 1.2, -0.4)
const example = { sequences: [{ input: new Int32Array(4), target: new Int32Array(4) }], labels: [labels] }
const outputs = [{ logprobs: new Float64Array(4), values }]
const loss = algorithm('process-reward').build({}, { labelledTokens: 3 })

describe('process-reward', () => {
  it('on a value head v equals the softmax over logits (0, v)', () => {
    const logits = Float64Array.from([...values].flatMap((v) => [0, v]))
    const twoClasses = classifySteps([logits], [labels], 2)
    const result = loss(example, outputs)
    expect(result.loss).toBeCloseTo(twoClasses.loss, 12)
    expect(result.metrics.accuracy).toBeCloseTo(1 / 3, 12)
    expect(twoClasses.metrics.accuracy).toBeCloseTo(1 / 3, 12)
    result.gradients[0]!.values!.forEach((g, t) => {
      expect(g).toBeCloseTo(twoClasses.gradients[0]![2 * t + 1]!, 12)
    })
  })
  it('refuses labels that are neither 0, 1 nor -100', () => {
    expect(() => loss({ ...example, labels: [[1, 2, 0, 1]] }, outputs)).toThrow(
      /0, 1 or -100, got 2 at token 1/,
    )
    expect(() => classifySteps([Float64Array.of(0, 1)], [[2]], 2)).toThrow(/a class in \[0, 2\), got 2/)
  })
  it('refuses values that are missing or not finite, and a batch without labels', () => {
    expect(() => loss(example, [{ logprobs: new Float64Array(4) }])).toThrow(/sequence 0 has no values/)
    const broken = [{ logprobs: new Float64Array(4), values: Float64Array.of(Number.NaN, 0, 0, 0) }]
    expect(() => loss(example, broken)).toThrow(/values is NaN at token 0/)
    expect(() => classifySteps([Float64Array.of(0, 1)], [[-100]], 2)).toThrow(
      /total of labelledTokens must be/,
    )
    expect(() => classifySteps([Float64Array.of(0, Infinity)], [[1]], 2)).toThrow(
      /logit 1 of row 0 is Infinity/,
    )
  })
})
