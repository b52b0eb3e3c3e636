import { describe, expect, it } from 'vitest'
import { algorithm } from './registry.ts'

const row = (...numbers: number[]) => Float64Array.from(numbers)
const ids = ['is-token-truncate', 'is-token-mask', 'is-sequence-truncate', 'is-sequence-mask'] as const
const batch = {
  oldLogprobs: [row(-1, -2, -3), row(-1)],
  samplerLogprobs: [row(-1, -1, -3.5), row(-2.5)],
  masks: [[1, 0, 1], [1]],
}
const weigh = (id: (typeof ids)[number], options = {}) => algorithm(id).weigh(options, batch)
const rounded = (weights: Float64Array[]) => weights.map((w) => [...w].map((x) => Number(x.toFixed(4))))

describe.each(ids)('%s', (id) => {
  it('where the old log-probabilities are the sampler’s, every weight is 1: nothing is corrected twice', () => {
    const same = algorithm(id).weigh({}, { ...batch, oldLogprobs: batch.samplerLogprobs })
    expect(rounded(same.weights)).toEqual([[1, 0, 1], [1]])
    expect(same.metrics).toEqual({ alteredFraction: 0, importanceRatioMin: 1, importanceRatioMax: 1 })
  })
  it('a ratio exactly at its bounds is kept', () => {
    const same = { ...batch, oldLogprobs: batch.samplerLogprobs }
    expect(rounded(algorithm(id).weigh({ lower: 1, upper: 1 }, same).weights)).toEqual([[1, 0, 1], [1]])
  })
  it('refuses a lower bound above the upper one', () => {
    expect(() => weigh(id, { lower: 3, upper: 2 })).toThrow(
      `${id}: lower must be at most upper, got lower 3 and upper 2`,
    )
  })
  it('refuses NaN, missing rows and a batch without tokens', () => {
    const sampler = [row(-1, -1, Number.NaN), row(-1)]
    expect(() => algorithm(id).weigh({}, { ...batch, samplerLogprobs: sampler })).toThrow(
      /samplerLogprobs is NaN at token 2/,
    )
    expect(() => algorithm(id).weigh({}, { ...batch, samplerLogprobs: [] })).toThrow(
      /sequence 0 has no samplerLogprobs/,
    )
    expect(() => algorithm(id).weigh({}, { ...batch, masks: [[0, 0, 0], [0]] })).toThrow(
      /no token of the batch/,
    )
  })
  it('a ratio that overflows is bounded like any other', () => {
    const wild = { ...batch, samplerLogprobs: [row(-2000, -1, -3), row(-1)] }
    const { weights } = algorithm(id).weigh({}, wild)
    expect(weights[0]![0]).toBe(id.endsWith('truncate') ? 2 : 0)
  })
})

describe('weights', () => {
  const e = (x: number) => Number(Math.exp(x).toFixed(4))
  it('by token: truncated to the bound, or 0 outside', () => {
    expect(rounded(weigh('is-token-truncate').weights)).toEqual([[1, 0, e(0.5)], [2]])
    expect(rounded(weigh('is-token-mask').weights)).toEqual([[1, 0, e(0.5)], [0]])
    expect(weigh('is-token-mask').metrics.alteredFraction).toBeCloseTo(1 / 3, 12)
  })
  it('by sequence: one weight for all its tokens, from trained tokens alone', () => {
    expect(rounded(weigh('is-sequence-truncate').weights)).toEqual([[e(0.5), 0, e(0.5)], [2]])
    expect(rounded(weigh('is-sequence-mask').weights)).toEqual([[e(0.5), 0, e(0.5)], [0]])
    expect(weigh('is-sequence-mask').metrics.alteredFraction).toBe(0.5)
  })
})
