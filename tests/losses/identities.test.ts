import { describe, expect, it } from 'vitest'
import { randomBatch, seededRandom } from '../../scripts/gradcheck/random-batch.ts'
import { gae, groupNormalised, leaveOneOut } from '../../src/advantages/index.ts'
import type { FloatArray } from '../../src/engine/contract.ts'
import {
  type AlgorithmId,
  algorithm,
  batchLoss,
  combineMetrics,
  type PolicyExample,
  type PureLoss,
  registry,
  tokenTotals,
  valueLoss,
} from '../../src/losses/index.ts'

const batch = randomBatch(seededRandom(9), 6)
const flatten = (gradients: { logprobs: FloatArray }[]) => gradients.flatMap(({ logprobs }) => [...logprobs])

function expectClose(actual: number[], expected: number[]): void {
  expect(actual.length).toBe(expected.length)
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 12)
  })
}

function example(advantages: (number | FloatArray)[], from = 0, to = 6) {
  return {
    sequences: batch.sequences.slice(from, to),
    masks: batch.masks.slice(from, to),
    advantages: advantages.slice(from, to),
    oldLogprobs: batch.oldLogprobs.slice(from, to),
    referenceLogprobs: batch.referenceLogprobs.slice(from, to),
    oldValues: batch.oldValues.slice(from, to),
    returns: batch.returns.slice(from, to),
  }
}
const totals = tokenTotals(batch.masks)

describe('groups of two are DPO', () => {
  const pair = example(batch.advantages, 0, 2)
  const outputs = batch.outputs.slice(0, 2)
  const dpo = algorithm('dpo').build({ beta: 0.3 }, { pairs: 1 })(pair, outputs)
  const group = { ...pair, scores: [1, 0] }
  const losses = {
    'gspo-pairs': algorithm('gspo-pairs').build({ beta: 0.3 }, { groups: 1, pairs: 1 }),
    'gdpo-contrast': algorithm('gdpo-contrast').build({ beta: 0.3 }, { groups: 1 }),
    'gdpo-listwise': algorithm('gdpo-listwise').build({ beta: 0.3 }, { groups: 1 }),
  }
  for (const [id, loss] of Object.entries(losses)) {
    it(`${id} has DPO's loss and gradient`, () => {
      const result = loss(group, outputs)
      expect(result.loss).toBeCloseTo(dpo.loss, 12)
      expectClose(flatten(result.gradients), flatten(dpo.gradients))
    })
    it(`${id} sees which of the two is better`, () => {
      const swapped = loss({ ...pair, scores: [0, 1] }, outputs)
      expect(swapped.gradients[0]!.logprobs.every((g) => g >= 0)).toBe(true)
    })
  }
})

describe('advantages', () => {
  const groups = [0, 0, 0, 1, 1, 1]

  it('leave-one-out is G/(G - 1) times the centred reward', () => {
    const centred = groupNormalised({ normalise: 'none' }, batch.advantages, groups)
    expectClose(
      [...leaveOneOut(batch.advantages, groups)],
      [...centred].map((a) => a * 1.5),
    )
  })

  it('rewards 1 and 0 give the numbers of the papers', () => {
    expect(groupNormalised({}, [1, 0], [0, 0])[0]).toBeCloseTo(0.5 / (Math.SQRT1_2 + 1e-4), 12)
    expect(groupNormalised({}, [1, 0], [0, 0])[0]?.toFixed(4)).toBe('0.7070')
    expect([...leaveOneOut([1, 0], [0, 0])]).toEqual([1, -1])
    expect([...groupNormalised({ normalise: 'none' }, [1, 0], [0, 0])]).toEqual([0.5, -0.5])
  })

  it('inserting tool tokens into a trajectory changes no advantage', () => {
    const plain = gae({ lambda: 0.9, gamma: 0.97 }, [
      {
        mask: [1, 1, 1, 1],
        values: Float64Array.of(0.1, 0.4, -0.2, 0.3),
        rewards: Float64Array.of(0, 0.5, 0, 1),
      },
    ])
    const withTool = gae({ lambda: 0.9, gamma: 0.97 }, [
      {
        mask: [0, 1, 1, 0, 0, 1, 1, 0],
        values: Float64Array.of(9, 0.1, 0.4, 9, -9, -0.2, 0.3, 9),
        rewards: Float64Array.of(0, 0, 0.5, 0, 0, 0, 1, 0),
      },
    ])
    expect(withTool.advantages[0]!.filter((_, t) => [1, 2, 5, 6].includes(t))).toEqual(plain.advantages[0])
    expect(withTool.metrics).toEqual(plain.metrics)
  })
})

describe('policy losses', () => {
  it('gspo: sequence form and token form agree in value and gradient for constant advantages', () => {
    const options = { clipLow: 0.1, clipHigh: 0.1 }
    const build = algorithm('gspo-sequence').build
    const sequence = build({ form: 'sequence', ...options }, totals)(example(batch.advantages), batch.outputs)
    const perToken = batch.advantages.map((a, s) => new Float64Array(batch.masks[s]!.length).fill(a))
    const token = build({ form: 'token', ...options }, totals)(example(perToken), batch.outputs)
    expect(token.loss).toBeCloseTo(sequence.loss, 12)
    expectClose(flatten(token.gradients), flatten(sequence.gradients))
  })

  it('ppo at l = lo has the gradient of the unclipped policy gradient', () => {
    const onPolicy = {
      ...example(batch.tokenAdvantages),
      oldLogprobs: batch.outputs.map(({ logprobs }) => logprobs),
    }
    const clipped = algorithm('ppo').build({ clipLow: 0.2, clipHigh: 0.2 }, totals)(onPolicy, batch.outputs)
    const plain = algorithm('reinforce').build({}, totals)(onPolicy, batch.outputs)
    expectClose(flatten(clipped.gradients), flatten(plain.gradients))
    expect(clipped.metrics).toMatchObject({ clipFraction: 0, ratioMin: 1, ratioMax: 1, approxKlK3: 0 })
  })

  it('ppo with a value head is the policy loss + coefficient * value loss - coefficient * mean entropy', () => {
    const given = { clipLow: 0.1, valueClip: 0.3, aggregation: 'sequence-mean-token-mean' } as const
    const at = (options: object) =>
      algorithm('ppo').build({ ...given, ...options }, totals)(example(batch.tokenAdvantages), batch.outputs)
    const policy = at({})
    const critic = valueLoss({ clip: 0.3, aggregation: 'sequence-mean-token-mean' }, totals)
    const value = critic(example(batch.tokenAdvantages), batch.outputs)
    const entropy = batch.masks.map((mask, s) => {
      const trained = batch.outputs[s]!.entropy!.filter((_, t) => mask[t] === 1)
      return trained.reduce((sum, nats) => sum + nats, 0) / trained.length
    })
    const meanEntropy = entropy.reduce((sum, nats) => sum + nats, 0) / entropy.length
    const all = at({ valueCoefficient: 0.7, entropyCoefficient: 0.2 })
    expect(all.loss).toBeCloseTo(policy.loss + 0.7 * value.loss - 0.2 * meanEntropy, 12)
    expect(flatten(all.gradients)).toEqual(flatten(policy.gradients))
  })

  it('inserting tool tokens into a response changes no loss', () => {
    const policy = (mask: number[], l: number[], lo: number[]) => {
      const loss = algorithm('grpo').build({}, tokenTotals([mask]))
      const sequence = { input: new Int32Array(mask.length), target: new Int32Array(mask.length) }
      const one = {
        sequences: [sequence],
        masks: [mask],
        advantages: [0.7],
        oldLogprobs: [Float64Array.from(lo)],
      }
      return loss(one, [{ logprobs: Float64Array.from(l) }]).loss
    }
    const plain = policy([1, 1, 1], [-1, -2, -1.5], [-1.1, -1.9, -1.6])
    expect(policy([1, 0, 0, 1, 1], [-1, -7, -8, -2, -1.5], [-1.1, -3, -4, -1.9, -1.6])).toBe(plain)
  })

  it('aggregations give the numbers of the papers', () => {
    const advantages = [Math.SQRT1_2, -Math.SQRT1_2]
    const lossOf = (options: object, given = advantages) => {
      const sequences = [2, 6].map((T) => ({ input: new Int32Array(T), target: new Int32Array(T) }))
      const masks = [2, 6].map((T) => new Uint8Array(T).fill(1))
      const rows = [2, 6].map((T) => new Float64Array(T).fill(-1))
      const loss = algorithm('ppo').build(options, tokenTotals(masks))
      const outputs = rows.map((logprobs) => ({ logprobs }))
      return loss({ sequences, masks, advantages: given, oldLogprobs: rows }, outputs).loss
    }
    expect(lossOf({ aggregation: 'token-mean' })).toBeCloseTo(0.353553, 6)
    expect(lossOf({ aggregation: 'sequence-mean-token-mean' })).toBeCloseTo(0, 12)
    expect(lossOf({ aggregation: 'constant', constant: 8 }, [0.5, -0.5])).toBeCloseTo(0.125, 12)
    expect(lossOf({ aggregation: 'token-sum' })).toBeCloseTo(4 * Math.SQRT1_2, 12)
  })
})

describe('splitting a batch into micro-batches', () => {
  const policyIds = [
    'sft',
    'mlm',
    'ppo',
    'grpo',
    'dr-grpo',
    'dapo',
    'cispo',
    'reinforce',
    'reinforce-plus-plus',
  ] as const
  const sequenceIds = ['rloo', 'gspo-sequence'] as const
  const whole = Object.keys(registry).filter((id) => registry[id as AlgorithmId].kind === 'loss')
  for (const id of [...policyIds, ...sequenceIds]) {
    it(`${id}: changes neither loss, gradient nor metrics`, () => {
      const build = registry[id].build as (options: object, t: typeof totals) => PureLoss<PolicyExample>
      const loss = build({}, totals)
      const all = loss(example(batch.advantages), batch.outputs)
      const parts = [
        [0, 1],
        [1, 4],
        [4, 6],
      ].map(([from, to]) => ({ from, to }))
      const split = batchLoss(
        loss,
        parts.map(({ from, to }) => example(batch.advantages, from, to)),
        parts.map(({ from, to }) => batch.outputs.slice(from, to)),
      )
      expect(split.loss).toBeCloseTo(all.loss, 12)
      expect(split.gradients).toEqual(all.gradients)
      expect(Object.keys(split.metrics)).toEqual(Object.keys(all.metrics))
      for (const [name, value] of Object.entries(all.metrics))
        expect(split.metrics[name]).toBeCloseTo(value, 12)
      expect(whole).toContain(id)
    })
  }

  it('extremes of the ratio combine by minimum and maximum, shares add up', () => {
    const parts = [
      { ratioMin: 0.5, ratioMax: 1.1, clipFraction: 0.25 },
      { ratioMin: 0.7, ratioMax: 1.9, clipFraction: 0.5 },
    ]
    expect(combineMetrics(parts)).toEqual({ ratioMin: 0.5, ratioMax: 1.9, clipFraction: 0.75 })
    expect(combineMetrics([...parts].reverse())).toEqual({ ratioMin: 0.5, ratioMax: 1.9, clipFraction: 0.75 })
  })
})
