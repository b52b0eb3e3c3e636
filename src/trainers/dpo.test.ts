import { describe, expect, it } from 'vitest'
import type { PreferencePair } from '../data/index.ts'
import type { Model, Sequence } from '../engine/index.ts'
import { type DpoOptions, dpo, measurePreferences } from './dpo.ts'
import { byteModel, trainableBytes } from './testing/byte-model.ts'
import { reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'

const letters = [...'abcdefghijkl']
const pairOf = (letter: string): PreferencePair => ({
  prompt: [{ role: 'user', content: letter }],
  chosen: [{ role: 'assistant', content: `yes ${letter}` }],
  rejected: [{ role: 'assistant', content: `no ${letter}` }],
})
const pairs = letters.slice(0, 8).map(pairOf)
const heldOut = letters.slice(8).map(pairOf)
const tossed = pairs.map((pair, i) =>
  i % 2 ? pair : { ...pair, chosen: pair.rejected, rejected: pair.chosen },
)
const optimizer = { learningRate: 0.002 }

async function trained(more: Partial<DpoOptions> = {}) {
  const model = await trainableBytes()
  await reportsOf(dpo({ model, pairs, optimizer, epochs: 10, ...more }))
  return measurePreferences(model, await byteModel(), heldOut, more.loss)
}

describe('dpo', () => {
  it.each(['dpo', 'ipo'] as const)(
    'as %s comes to prefer what is preferred, in pairs not seen, and not from tossed labels or at learning rate 0',
    async (id) => {
      const loss = { id }
      const learnt = await trained({ loss })
      expect(learnt.accuracy).toBe(1)
      expect(learnt.margin).toBeGreaterThan(0.3)
      expect((await trained({ loss, pairs: tossed })).margin).toBeLessThan(0.15)
      const still = await trained({ loss, optimizer: { learningRate: 0 }, epochs: 1 })
      expect([still.accuracy, still.margin]).toEqual([0, 0])
    },
  )

  it('begins at a loss of log 2, where policy and reference agree, and draws ipo to a gap of 1 / (2 beta)', async () => {
    const first = async (loss: DpoOptions['loss']) => {
      const model = await trainableBytes()
      return (await reportsOf(dpo({ model, pairs, optimizer, steps: 1, ...(loss && { loss }) })))[0]!.metrics
    }
    expect((await first({ labelSmoothing: 0.2 })).loss).toBeCloseTo(Math.log(2), 6)
    expect((await first({ id: 'ipo', beta: 0.5 })).loss).toBeCloseTo(1, 6)
    expect((await first({ lengthNormalised: true })).accuracy).toBe(0)
  })

  it('repeats to the bit, broken off or not, also without a reference given', async () => {
    await expectRepeatable(async (run) => {
      const model = await trainableBytes()
      return { model, stage: dpo({ model, pairs, optimizer, batch: { examples: 3 }, epochs: 2, run }) }
    }, 3)
  })

  it('reads each pair through the reference once, both answers in one example', async () => {
    const model = await trainableBytes()
    const seen: string[] = []
    const base = await byteModel()
    const reference = {
      forward: (sequences: readonly Sequence[], options = {}) => {
        seen.push(...sequences.map(({ input }) => model.tokenizer.decode(input)))
        return base.forward(sequences, options)
      },
    }
    await reportsOf(dpo({ model, pairs, optimizer, reference, batch: { examples: 3 }, epochs: 3 }))
    expect(seen.length).toBe(16)
    expect(new Set(seen).size).toBe(16)
  })

  it('gives the same steps in parts, and with the base of an adapter as reference', async () => {
    const base: Model = await byteModel()
    const steps = async (accumulation: number) => {
      const model = await base.trainable({ lora: { rank: 4 } })
      const options = {
        model,
        reference: base,
        pairs,
        optimizer: { learningRate: 0.01, accumulation },
        steps: 3,
      }
      return (await reportsOf(dpo(options))).map(({ metrics }) => metrics.loss!)
    }
    const [whole, parts] = [await steps(1), await steps(3)]
    expect(whole[2]!).toBeLessThan(whole[0]!)
    for (const [step, loss] of whole.entries()) expect(parts[step]).toBeCloseTo(loss, 4)
  })

  it('refuses options that the loss does not have', async () => {
    const model = await trainableBytes()
    const start = (loss: object) => expect(reportsOf(dpo({ model, pairs, optimizer, loss }))).rejects
    await start({ id: 'ipo', labelSmoothing: 0.1 }).toThrow('ipo: unknown option "labelSmoothing"')
    await start({ beta: 0 }).toThrow('beta must be a finite number in (0, inf)')
    await start({ id: 'kto' }).toThrow('dpo: loss.id')
  })
})

describe('measurePreferences', () => {
  it('without a reference says which answers the policy finds likelier', async () => {
    const model = await byteModel()
    const { accuracy } = await measurePreferences(model, undefined, pairs)
    const swapped = pairs.map((pair) => ({ ...pair, chosen: pair.rejected, rejected: pair.chosen }))
    const { accuracy: other } = await measurePreferences(model, undefined, swapped)
    expect(accuracy! + other!).toBe(1)
  })
})
