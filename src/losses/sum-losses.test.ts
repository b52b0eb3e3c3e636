import { describe, expect, it } from 'vitest'
import { algorithm } from './registry.ts'
import { sumLosses } from './sum-losses.ts'

describe('sumLosses', () => {
  it('adds losses, gradients of the same output and shares of metrics', () => {
    const example = { sequences: [{ input: new Int32Array(2), target: new Int32Array(2) }], masks: [[1, 1]] }
    const outputs = [{ logprobs: Float64Array.of(-1, -3) }]
    const one = algorithm('sft').build({}, { sequences: 1, tokens: 2 })
    const twice = sumLosses([one, one])(example, outputs)
    expect(twice.loss).toBe(4)
    expect(twice.gradients).toEqual([{ logprobs: Float64Array.of(-1, -1) }])
    expect(twice.metrics).toEqual({ nll: 4 })
  })
})
