import { describe, expect, it } from 'vitest'
import { checkGradient, type Outputs } from '../../scripts/gradcheck/central-difference.ts'
import { gradientChecks } from '../../scripts/gradcheck/checks.ts'
import { runGradientChecks } from '../../scripts/gradcheck.ts'
import { registry } from '../../src/losses/index.ts'

describe('gradients against central differences', () => {
  for (const { id, report, ok } of runGradientChecks(4, 3)) {
    it(`${id}: within 1e-6 of the differences`, () => {
      expect(report.worst).toBeLessThan(1e-6)
      expect(ok).toBe(true)
    })
  }

  it('cover every id of the registry', () => {
    expect(gradientChecks.map(([id]) => id)).toEqual(expect.arrayContaining(Object.keys(registry)))
  })

  const outputs: Outputs = [[{ logprobs: Float64Array.of(-1, -2) }]]
  const square = (moved: Outputs) => moved[0]![0]!.logprobs.reduce((sum, l) => sum + l * l, 0)

  it('a wrong entry is seen', () => {
    const right: Outputs = [[{ logprobs: Float64Array.of(-2, -4) }]]
    const wrong: Outputs = [[{ logprobs: Float64Array.of(-2, -4.001) }]]
    expect(checkGradient({ outputs, gradients: right, value: square }).worst).toBeLessThan(1e-9)
    expect(checkGradient({ outputs, gradients: wrong, value: square }).worst).toBeGreaterThan(1e-4)
  })

  it('a kink is set aside, not compared', () => {
    const kink = (moved: Outputs) => Math.abs(moved[0]![0]!.logprobs[0]! + 1)
    const report = checkGradient({ outputs, gradients: [[{ logprobs: Float64Array.of(7, 0) }]], value: kink })
    expect(report).toMatchObject({ numbers: 2, kinks: 1, worst: 0 })
  })
})
