import { describe, expect, it } from 'vitest'
import { algorithm } from './registry.ts'
import { tokenTotals } from './totals.ts'
import type { PolicyExample } from './types.ts'

const sequence = { input: new Int32Array(3), target: new Int32Array(3) }
const outputs = (...logprobs: number[]) => [{ logprobs: Float64Array.from(logprobs) }]
const example = (changes: Partial<PolicyExample> = {}): PolicyExample => ({
  sequences: [sequence],
  masks: [[1, 0, 1]],
  advantages: [1],
  oldLogprobs: [Float64Array.of(-1, -1, -1)],
  ...changes,
})
const ids = ['ppo', 'grpo', 'dr-grpo', 'dapo', 'cispo', 'reinforce-plus-plus', 'gspo-sequence'] as const
const totals = { sequences: 1, tokens: 2 }

describe.each(ids)('%s with broken input', (id) => {
  const loss = algorithm(id).build({}, totals)

  it('NaN or infinity among the log-probabilities names the array, token and sequence', () => {
    expect(() => loss(example(), outputs(-1, -1, Number.NaN))).toThrow(
      `${id}: logprobs is NaN at token 2 of sequence 0; it must be finite`,
    )
    expect(() => loss(example(), outputs(-Infinity, -1, -1))).toThrow(/logprobs is -Infinity at token 0/)
    const old = example({ oldLogprobs: [Float64Array.of(-1, -1, Infinity)] })
    expect(() => loss(old, outputs(-1, -1, -1))).toThrow(/oldLogprobs is Infinity at token 2/)
  })

  it('an advantage that is not finite is refused', () => {
    expect(() => loss(example({ advantages: [Number.NaN] }), outputs(-1, -1, -1))).toThrow(
      /advantages is NaN/,
    )
  })

  it('arrays that do not align with the target are refused', () => {
    expect(() => loss(example({ masks: [[1, 1]] }), outputs(-1, -1, -1))).toThrow(
      `${id}: mask of sequence 0 has 2 entries, its target 3; they must align`,
    )
    expect(() => loss(example({ oldLogprobs: [] }), outputs(-1, -1, -1))).toThrow(
      'sequence 0 has no oldLogprobs',
    )
    expect(() => loss(example(), outputs(-1, -1))).toThrow(/logprobs of sequence 0 has 2 entries/)
    expect(() => loss(example(), [])).toThrow(/1 sequences, but the model gave outputs for 0/)
  })

  it('a mask of anything but 0 and 1 is refused', () => {
    expect(() => loss(example({ masks: [[1, 0.5, 1]] }), outputs(-1, -1, -1))).toThrow(
      /0 and 1 only, got 0.5 at token 1/,
    )
  })

  it('missing old log-probabilities are refused', () => {
    const { oldLogprobs: _, ...rest } = example()
    expect(() => loss(rest, outputs(-1, -1, -1))).toThrow(`${id}: sequence 0 has no oldLogprobs`)
  })

  it('a ratio that overflows is an error, not infinity', () => {
    const old = example({ oldLogprobs: [Float64Array.of(-2000, -1, -2000)] })
    expect(() => loss(old, outputs(-1, -1, -1))).toThrow(/overflows at token 0 of sequence 0/)
  })

  it('a sequence in which nothing trains adds no loss and no gradient', () => {
    const result = loss(example({ masks: [[0, 0, 0]] }), outputs(-1, -2, -3))
    expect(result.loss).toBe(0)
    expect([...result.gradients[0]!.logprobs]).toEqual([0, 0, 0])
    expect(result.metrics.ratioMax).toBeUndefined()
  })

  it('totals that count nothing are refused', () => {
    expect(() => algorithm(id).build({}, { sequences: 1, tokens: 0 })).toThrow(
      /total of tokens must be a positive/,
    )
  })
})

describe('metrics of a policy loss', () => {
  const old = Float64Array.of(0, 0, 0, 0, 0)
  const ratios = [0.5, 0.5, 1, 2, 4]
  const five = { input: new Int32Array(5), target: new Int32Array(5) }
  const batch = {
    sequences: [five],
    masks: [[1, 1, 1, 1, 1]],
    advantages: [Float64Array.of(1, -1, 1, 1, -1)],
    oldLogprobs: [old],
  }
  const given = [{ logprobs: Float64Array.from(ratios, Math.log), entropy: Float64Array.of(1, 2, 3, 4, 5) }]

  it('count a token as clipped only where its advantage pulls outwards', () => {
    const { metrics } = algorithm('ppo').build({ dualClip: 3 }, { sequences: 1, tokens: 5 })(batch, given)
    expect(metrics).toMatchObject({
      clipFraction: 0.4,
      clipFractionLow: 0.2,
      clipFractionHigh: 0.2,
      dualClipFraction: 0.2,
      entropy: 3,
    })
    expect(metrics.ratioMin).toBeCloseTo(0.5, 12)
    expect(metrics.ratioMax).toBeCloseTo(4, 12)
  })

  it('cispo counts both signs, for its weight is clipped whatever the advantage', () => {
    const loss = algorithm('cispo').build({ clipLow: 0.2, clipHigh: 0.2 }, { sequences: 1, tokens: 5 })
    expect(loss(batch, given).metrics.clipFraction).toBe(0.8)
  })

  it('approximate KL by k1 and by k3', () => {
    const { metrics } = algorithm('ppo').build({}, { sequences: 1, tokens: 5 })(batch, given)
    const mean = (f: (r: number) => number) => ratios.reduce((sum, r) => sum + f(r), 0) / 5
    expect(metrics.approxKl).toBeCloseTo(
      mean((r) => -Math.log(r)),
      12,
    )
    expect(metrics.approxKlK3).toBeCloseTo(
      mean((r) => r - 1 - Math.log(r)),
      12,
    )
  })

  it('the KL to the reference is reported where it is given', () => {
    const reference = { ...batch, referenceLogprobs: [Float64Array.from(ratios, () => -1)] }
    const { metrics } = algorithm('grpo').build({}, { sequences: 1, tokens: 5 })(reference, given)
    const k3 = ratios.map((r) => Math.exp(-1 - Math.log(r)) - 1 + 1 + Math.log(r))
    expect(metrics.kl).toBeCloseTo(k3.reduce((sum, k) => sum + k, 0) / 5, 12)
  })
})

describe('dual clip', () => {
  it('leaves tokens of positive advantage alone', () => {
    const loss = algorithm('ppo').build({ clipHigh: 0.5, dualClip: 1.1 }, totals)
    const gradient = (advantage: number) => {
      const at = outputs(-0.8, -1, -0.8)
      return loss(example({ advantages: [advantage] }), at).gradients[0]!.logprobs[0]!
    }
    expect(gradient(1)).toBeCloseTo(-Math.exp(0.2) / 2, 12)
    expect(gradient(-1)).toBe(0)
  })
})

describe('parts of the loss', () => {
  it('importance weights multiply the policy term, not the KL term and not the denominator', () => {
    const batch = example({ referenceLogprobs: [Float64Array.of(-2, -1, -3)] })
    const build = (klCoefficient: number) => algorithm('grpo').build({ klCoefficient }, totals)
    const at = (weights: number[], coefficient: number) =>
      build(coefficient)({ ...batch, importanceWeights: [Float64Array.from(weights)] }, outputs(-1, -1, -1))
        .loss
    expect(at([1, 0, 1], 0)).toBeCloseTo(-1, 12)
    expect(at([0.5, 9, 0], 0)).toBeCloseTo(-0.25, 12)
    expect(at([0, 0, 0], 0.1)).toBeCloseTo(at([1, 1, 1], 0.1) + 1, 12)
  })

  it('importance weights reach sequence ratios too', () => {
    const at = (form: 'sequence' | 'token') =>
      algorithm('gspo-sequence').build({ form }, totals)(
        example({ importanceWeights: [Float64Array.of(0.5, 9, 1)] }),
        outputs(-1, -1, -1),
      )
    expect(at('sequence').loss).toBeCloseTo(-0.75, 12)
    expect(at('token').loss).toBeCloseTo(-0.75, 12)
    expect([...at('sequence').gradients[0]!.logprobs]).toEqual([-0.375, 0, -0.375])
    expect([...at('token').gradients[0]!.logprobs]).toEqual([-0.25, 0, -0.5])
  })

  it('a KL coefficient without a reference is refused', () => {
    const loss = algorithm('grpo').build({ klCoefficient: 0.1 }, totals)
    expect(() => loss(example(), outputs(-1, -1, -1))).toThrow('grpo: sequence 0 has no referenceLogprobs')
  })

  it('ppo says when the value head or the entropy that its options need is missing', () => {
    const value = algorithm('ppo').build({ valueCoefficient: 1 }, totals)
    expect(() => value(example(), outputs(-1, -1, -1))).toThrow('ppo: sequence 0 has no values')
    const entropy = algorithm('ppo').build({ entropyCoefficient: 0.1 }, totals)
    expect(() => entropy(example(), outputs(-1, -1, -1))).toThrow('ppo: sequence 0 has no entropy')
  })

  it('aggregation by a constant needs the constant', () => {
    expect(() => algorithm('ppo').build({ aggregation: 'constant' }, totals)).toThrow(
      'ppo: aggregation "constant" needs the option constant in (0, inf)',
    )
  })

  it('float32 outputs give float32 gradients and the loss of float64 sums', () => {
    const length = 100_000
    const long = { input: new Int32Array(length), target: new Int32Array(length) }
    const masks = [new Uint8Array(length).fill(1)]
    const rows = new Float32Array(length).fill(-0.1)
    const loss = algorithm('sft').build({ aggregation: 'token-sum' }, tokenTotals(masks))
    const result = loss({ sequences: [long], masks }, [{ logprobs: rows }])
    expect(result.gradients[0]!.logprobs).toBeInstanceOf(Float32Array)
    expect(result.loss).toBeCloseTo(length * Math.fround(0.1), 6)
  })

  it('the mean entropy is reported by sft when the model gives it', () => {
    const given = [{ logprobs: Float64Array.of(-1, -2, -3), entropy: Float64Array.of(1, 9, 2) }]
    const { metrics } = algorithm('sft').build({}, totals)(example(), given)
    expect(metrics).toEqual({ nll: 2, entropy: 1.5 })
  })
})
