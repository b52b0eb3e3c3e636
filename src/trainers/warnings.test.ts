import { describe, expect, it } from 'vitest'
import { createWarnings } from './warnings.ts'

const healthy = { reward: 0.5, length: 20, entropy: 2, truncated: 0, repetition: 0, kl: 0.01, zeroSpread: 0 }

describe('createWarnings', () => {
  it('says nothing of a healthy run', () => {
    const warnings = createWarnings()
    for (let step = 0; step < 20; step++)
      expect(warnings.afterStep({ ...healthy, reward: step / 20, entropy: 2 - step / 20 })).toEqual([])
    expect(warnings.afterEvaluation({ 'pass@1': 0.5 })).toEqual([])
  })

  it.each([
    ['truncated', 0.3, /30 % of the samples end at their token limit/],
    ['repetition', 0.4, /repetition: 40 %/],
    ['kl', 0.8, /KL to the reference is 0.800 nats/],
    ['zeroSpread', 0.75, /75 % of the groups have rewards without spread/],
  ])('warns of %s above its bound, once until it has been below', (metric, value, text) => {
    const warnings = createWarnings()
    const bad = { ...healthy, [metric]: value }
    expect(warnings.afterStep(bad).join()).toMatch(text)
    expect(warnings.afterStep(bad)).toEqual([])
    expect(warnings.afterStep(healthy)).toEqual([])
    expect(warnings.afterStep(bad).join()).toMatch(text)
    expect(createWarnings({ [metric]: 0.9 }).afterStep(bad)).toEqual([])
  })

  it.each([
    ['length', 45, /length drift: answers have 45.0 tokens on average, at first 20.0/],
    ['length', 8, /length drift/],
    ['entropy', 0.3, /entropy collapse: 0.300 nats a token, at first 2.000/],
  ])('warns when %s over a window comes to %d', (metric, value, text) => {
    const warnings = createWarnings({ window: 2 })
    const said = [
      healthy,
      healthy,
      healthy,
      { ...healthy, [metric]: value },
      { ...healthy, [metric]: value },
    ].map((metrics) => warnings.afterStep(metrics).join())
    expect(said.slice(0, 4).join('')).toBe('')
    expect(said[4]).toMatch(text)
  })

  it('warns when the reward rises while the held-out pass rate falls', () => {
    const warnings = createWarnings({ window: 1 })
    warnings.afterStep({ ...healthy, reward: 0.2 })
    expect(warnings.afterEvaluation({ 'pass@1': 0.4 })).toEqual([])
    warnings.afterStep({ ...healthy, reward: 0.4 })
    expect(warnings.afterEvaluation({ 'pass@1': 0.5 })).toEqual([])
    warnings.afterStep({ ...healthy, reward: 0.9 })
    expect(warnings.afterEvaluation({ 'pass@1': 0.3 }).join()).toMatch(
      /reward rose from 0.400 to 0.900 while pass@1 on held-out tasks fell from 0.500 to 0.300/,
    )
  })

  it('takes the held-out metric that it is told', () => {
    const warnings = createWarnings({ window: 1, heldOut: 'score' })
    warnings.afterStep({ ...healthy, reward: 0.2 })
    warnings.afterEvaluation({ score: 0.4, 'pass@1': 0 })
    warnings.afterStep({ ...healthy, reward: 0.3 })
    expect(warnings.afterEvaluation({ score: 0.1, 'pass@1': 1 })).toHaveLength(1)
  })

  it('goes on from what was saved as if it had never stopped', () => {
    const [whole, before] = [createWarnings({ window: 2 }), createWarnings({ window: 2 })]
    const early = { ...healthy, truncated: 0.5 }
    for (const warnings of [whole, before]) for (let step = 0; step < 3; step++) warnings.afterStep(early)
    const resumed = createWarnings({ window: 2 })
    resumed.load(JSON.parse(JSON.stringify(before.save())))
    for (const length of [20, 60, 60, 20, 60, 60])
      expect(resumed.afterStep({ ...early, length })).toEqual(whole.afterStep({ ...early, length }))
  })
})
