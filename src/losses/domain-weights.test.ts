import { describe, expect, it } from 'vitest'
import { updateDomainWeights, weightedDomainLoss } from './domain-weights.ts'

const row = (...numbers: number[]) => Float64Array.from(numbers)
const state = { weights: row(0.5, 0.5), scores: row(0.1, 0.2), averageWeights: row(0.5, 0.5), updates: 0 }
const batch = {
  tokenLosses: [row(3, 1), row(2, 9)],
  referenceLosses: [row(1, 2), row(1, 9)],
  masks: [
    [1, 1],
    [1, 0],
  ],
  domains: [0, 1],
}

describe('DoReMi', () => {
  it('clips the excess loss token by token, not in the mean', () => {
    expect([...updateDomainWeights({}, state, batch).scores]).toEqual([1, 1])
  })
  it('a domain without tokens keeps its score', () => {
    const { scores } = updateDomainWeights({}, state, { ...batch, domains: [0, 0] })
    expect(scores[1]).toBe(0.2)
  })
  it('weights stay a distribution, each at least its uniform share', () => {
    const harsh = { ...state, weights: row(0.999, 0.001) }
    const { weights } = updateDomainWeights({ eta: 50, smoothing: 0.1 }, harsh, { ...batch, domains: [0, 0] })
    expect(weights[0]! + weights[1]!).toBeCloseTo(1, 12)
    expect(weights[1]).toBeCloseTo(0.05, 12)
  })
  it('stay finite however large the excess loss', () => {
    const { weights } = updateDomainWeights({ eta: 5000, smoothing: 0 }, state, { ...batch, domains: [0, 0] })
    expect([...weights]).toEqual([1, 0])
  })
  it('the average starts from the first update', () => {
    const first = updateDomainWeights({}, { ...state, averageWeights: row(9, 9) }, batch)
    expect(first.averageWeights).toEqual(first.weights)
    expect(first.updates).toBe(1)
  })
  it('refuses unknown domains, NaN and a batch without tokens', () => {
    expect(() => updateDomainWeights({}, state, { ...batch, domains: [0, 2] })).toThrow(
      /integer in \[0, 2\), got 2/,
    )
    const broken = { ...batch, tokenLosses: [row(Number.NaN, 1), row(2, 9)] }
    expect(() => updateDomainWeights({}, state, broken)).toThrow(
      /tokenLosses is NaN at token 0 of sequence 0/,
    )
    const empty = {
      ...batch,
      masks: [
        [0, 0],
        [0, 0],
      ],
    }
    expect(() => weightedDomainLoss(row(0.5, 0.5), empty)).toThrow(/no token of the batch/)
  })
})
