import { describe, expect, it } from 'vitest'
import { preferencePairs } from './preference-pairs.ts'
import { algorithm } from './registry.ts'

const row = (...numbers: number[]) => Float64Array.from(numbers)
function group(scores: number[], h: number[]) {
  const example = {
    sequences: h.map(() => ({ input: new Int32Array(1), target: new Int32Array(1) })),
    masks: h.map(() => [1]),
    referenceLogprobs: h.map(() => row(0)),
    scores,
  }
  return { example, outputs: h.map((x) => ({ logprobs: row(x) })) }
}

describe.each(['gspo-pairs', 'gdpo-contrast', 'gdpo-listwise'] as const)('%s', (id) => {
  const loss = algorithm(id).build({}, { groups: 1, pairs: 1 })

  it('equal scores have loss 0 and no gradient, also where their mean is not exact', () => {
    const { example, outputs } = group([0.1, 0.1, 0.1], [-1, -2, -3])
    const result = loss(example, outputs)
    expect(result.loss).toBe(0)
    expect(result.gradients.flatMap(({ logprobs }) => [...logprobs])).toEqual([0, 0, 0])
  })

  it('a group of one has loss 0 and no gradient', () => {
    const { example, outputs } = group([0.7], [-1])
    expect(loss(example, outputs)).toMatchObject({ loss: 0, gradients: [{ logprobs: row(0) }] })
  })

  it('refuses scores that are not finite or do not match', () => {
    const { example, outputs } = group([1, Number.NaN], [-1, -2])
    expect(() => loss(example, outputs)).toThrow(/the score is NaN/)
    expect(() => loss({ ...example, scores: [1] }, outputs)).toThrow(/2 sequences, but 1 scores/)
  })

  it('a gradient lifts the better response and lowers the worse', () => {
    const { example, outputs } = group([0, 1, 0], [-1, -1, -1])
    const [worse, better] = loss(example, outputs).gradients
    expect(better!.logprobs[0]!).toBeLessThan(0)
    expect(worse!.logprobs[0]!).toBeGreaterThan(0)
  })
})

describe('metrics of group preferences', () => {
  const { example, outputs } = group([1, 0, 0], [-1, -2, 0])

  it('gspo-pairs: share of pairs in the right order and mean margin', () => {
    const { metrics } = algorithm('gspo-pairs').build({ beta: 0.5 }, { groups: 1, pairs: 2 })(
      example,
      outputs,
    )
    expect(metrics).toEqual({ accuracy: 0.5, margin: 0 })
  })

  it('gdpo-contrast: the same, weighted by distance from the mean score', () => {
    const { metrics } = algorithm('gdpo-contrast').build({ beta: 0.5 }, { groups: 1 })(example, outputs)
    expect(metrics.accuracy).toBeCloseTo(0.25, 12)
  })

  it('gdpo-listwise: probability of the winners', () => {
    const { metrics } = algorithm('gdpo-listwise').build({ beta: 1 }, { groups: 1 })(example, outputs)
    expect(metrics.winnerProbability).toBeCloseTo(Math.exp(-1) / (Math.exp(-1) + Math.exp(-2) + 1), 12)
  })
})

describe('gdpo-listwise', () => {
  it('stays finite when policy and reference are far apart', () => {
    const far = group([1, 0], [9000, -9000])
    const result = algorithm('gdpo-listwise').build({ beta: 1 }, { groups: 1 })(far.example, far.outputs)
    expect(result.loss).toBe(0)
    const wrong = group([0, 1], [9000, -9000])
    expect(
      algorithm('gdpo-listwise').build({ beta: 1 }, { groups: 1 })(wrong.example, wrong.outputs).loss,
    ).toBe(18000)
  })
})

describe('preferencePairs', () => {
  it('pairs every winner with every loser beyond the margin, ties with nobody', () => {
    expect(preferencePairs([1, 0, 1])).toEqual([
      [0, 1],
      [2, 1],
    ])
    expect(preferencePairs([1, 0.5, 0], 0.5)).toEqual([[0, 2]])
  })
})
