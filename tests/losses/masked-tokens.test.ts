import { describe, expect, it } from 'vitest'
import { drawBatch, gradientChecks } from '../../scripts/gradcheck/checks.ts'
import { type RandomBatch, seededRandom } from '../../scripts/gradcheck/random-batch.ts'

/** Everything the batch says of tokens with mask 0 becomes NaN. */
function poisoned(batch: RandomBatch): RandomBatch {
  const poison = <A extends Float64Array>(row: A, s: number) =>
    row.map((value, t) => (batch.masks[s]![t] ? value : Number.NaN)) as A
  return {
    ...batch,
    outputs: batch.outputs.map((output, s) => ({
      logprobs: poison(output.logprobs, s),
      values: poison(output.values!, s),
      entropy: poison(output.entropy!, s),
    })),
    oldLogprobs: batch.oldLogprobs.map(poison),
    referenceLogprobs: batch.referenceLogprobs.map(poison),
    samplerLogprobs: batch.samplerLogprobs.map(poison),
    tokenAdvantages: batch.tokenAdvantages.map(poison),
    oldValues: batch.oldValues.map(poison),
    returns: batch.returns.map(poison),
  }
}

describe('tokens with mask 0', () => {
  for (const [id, check] of gradientChecks) {
    it(`${id}: change neither the loss nor any gradient, and get none`, () => {
      const batch = drawBatch(seededRandom(5))
      const clean = check(batch)
      const dirty = check(poisoned(batch))
      expect(dirty.loss).toBe(clean.loss)
      expect(clean.loss).not.toBe(0)
      expect(dirty.gradients).toEqual(clean.gradients)
      let masked = 0
      dirty.gradients.flat().forEach((gradient, s) => {
        for (const row of Object.values(gradient)) {
          row.forEach((g: number, t: number) => {
            if (batch.masks[s]![t] === 1) return
            masked++
            expect(Math.abs(g)).toBe(0)
          })
        }
      })
      expect(masked).toBeGreaterThan(3)
    })
  }
})
