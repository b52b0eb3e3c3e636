import { describe, expect, it } from 'vitest'
import { conjugateGradient } from './conjugate-gradient.ts'
import { asyncTrustRegionStep, trustRegionStep } from './trust-region-step.ts'

const product = (v: Float64Array) => Float64Array.of(4 * v[0]! + v[1]!, v[0]! + 3 * v[1]!)

describe('conjugateGradient', () => {
  it('solves a system of two unknowns in two products', () => {
    const x = conjugateGradient(product, Float64Array.of(1, 2), 2, 0)
    expect(x[0]).toBeCloseTo(1 / 11, 12)
    expect(x[1]).toBeCloseTo(7 / 11, 12)
  })
  it('gives 0 for a gradient of 0', () => {
    expect([...conjugateGradient(product, new Float64Array(2), 5)]).toEqual([0, 0])
  })
  it('refuses less than one iteration', () => {
    expect(() => conjugateGradient(product, Float64Array.of(1, 2), 0)).toThrow(/integer of at least 1, got 0/)
  })
})

describe('trustRegionStep', () => {
  const gradient = Float64Array.of(1, -2)
  const evaluate = (s: Float64Array) => ({
    kl: 0.5 * (s[0]! * product(s)[0]! + s[1]! * product(s)[1]!),
    loss: s[0]! - 2 * s[1]!,
  })

  it('takes a step of the allowed KL down the loss', () => {
    const step = trustRegionStep({ damping: 0, delta: 0.02 }, { gradient, fisherProduct: product, evaluate })
    expect(step.kl).toBeCloseTo(0.02, 6)
    expect(step.lossChange).toBeLessThan(0)
  })

  it('takes the same step where products and trials are waited for', async () => {
    const options = { damping: 0.3, delta: 0.02, cgIterations: 1 }
    const step = await asyncTrustRegionStep(options, {
      gradient,
      fisherProduct: async (vector) => product(vector),
      evaluate: async (change) => evaluate(change),
    })
    expect(step).toEqual(trustRegionStep(options, { gradient, fisherProduct: product, evaluate }))
  })

  it('accepts a step whose KL is exactly what is allowed', () => {
    const exact = (s: Float64Array) => ({ kl: 0.01, loss: s[0]! - 2 * s[1]! })
    const problem = { gradient, fisherProduct: product, evaluate: exact }
    expect(trustRegionStep({ delta: 0.01 }, problem).acceptedStep).toBe(0)
  })

  it('changes nothing when every trial raises the loss', () => {
    const rising = (s: Float64Array) => ({ kl: 0, loss: s.some((x) => x !== 0) ? 1 : 0 })
    const step = trustRegionStep({}, { gradient, fisherProduct: product, evaluate: rising })
    expect(step).toMatchObject({ acceptedStep: -1, parameterChange: new Float64Array(2), lossChange: 0 })
  })

  it('never accepts a step whose KL or loss is not a number', () => {
    const broken = () => ({ kl: Number.NaN, loss: Number.NaN })
    expect(trustRegionStep({}, { gradient, fisherProduct: product, evaluate: broken }).acceptedStep).toBe(-1)
  })

  it('refuses a gradient that is not finite and a matrix that is not positive', () => {
    const problem = { gradient, fisherProduct: product, evaluate }
    expect(() => trustRegionStep({}, { ...problem, gradient: Float64Array.of(1, Number.NaN) })).toThrow(
      /not finite/,
    )
    const negative = (v: Float64Array) => v.map((x) => -x)
    expect(() => trustRegionStep({}, { ...problem, fisherProduct: negative })).toThrow(
      /positive semidefinite/,
    )
  })
})
