import { describe, expect, it } from 'vitest'
import { drawBatch, gradientChecks } from '../../scripts/gradcheck/checks.ts'
import { type RandomBatch, seededRandom } from '../../scripts/gradcheck/random-batch.ts'

const draw = () => drawBatch(seededRandom(13))

/** Every trained token of the second sequence says `value`, in all outputs. */
function poisoned(value: number): RandomBatch {
  const batch = draw()
  for (const row of Object.values(batch.outputs[1]!)) {
    batch.masks[1]!.forEach((m, t) => {
      if (m === 1) row[t] = value
    })
  }
  return batch
}

describe.each(gradientChecks)('%s', (_, check) => {
  it.each([Number.NaN, Infinity, -Infinity])('refuses outputs of %s, saying where', (value) => {
    expect(() => check(poisoned(value))).toThrow(
      new RegExp(`(logprobs|values) is ${value} at token \\d of sequence \\d; it must be finite`),
    )
  })

  it('refuses a mask that does not align with the target', () => {
    const batch = draw()
    batch.masks[0] = batch.masks[0]!.slice(1)
    expect(() => check(batch)).toThrow(/entries|must align/)
  })

  it('refuses outputs that do not align with the target', () => {
    const batch = draw()
    batch.outputs[2] = { ...batch.outputs[2]!, logprobs: new Float64Array(99), values: new Float64Array(99) }
    expect(() => check(batch)).toThrow(/has 99 entries, its target \d; they must align/)
  })
})
