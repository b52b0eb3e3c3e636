import { describe, expect, it } from 'vitest'
import { encodeDocument } from './encode-documents.ts'
import { forwardAll, measureLoss } from './measure-loss.ts'
import { byteModel, byteTokenizer } from './testing/byte-model.ts'

const texts = ['the red fox', 'the red hen', 'a quite different text', 'x']

describe('measureLoss', () => {
  it('is the mean over marked tokens, and no row sees another', async () => {
    const model = await byteModel()
    const tokenizer = await byteTokenizer()
    const rows = texts.map((text) => encodeDocument(tokenizer, text, 64))
    const together = await measureLoss(model, rows.flat())
    let [sum, tokens] = [0, 0]
    for (const row of rows) {
      const marked = row[0]!.masks[0]!.length
      sum += (await measureLoss(model, row)).loss * marked
      tokens += marked
    }
    expect(together.loss).toBeCloseTo(sum / tokens, 12)
    expect(together.perplexity).toBe(Math.exp(together.loss))
  })

  it('refuses to measure where nothing is marked', async () => {
    const model = await byteModel()
    await expect(measureLoss(model, [])).rejects.toThrow('no token is marked')
  })
})

describe('forwardAll', () => {
  it('gives the same numbers in however many passes', async () => {
    const model = await byteModel()
    const tokenizer = await byteTokenizer()
    const document = 'all work and no play '.repeat(6)
    const sequences = Array.from({ length: 150 }, (_, i) =>
      encodeDocument(tokenizer, document.slice(i % 20), 100).map(({ sequences }) => sequences[0]!),
    ).flat()
    let passes = 0
    const counted = {
      forward: (...given: Parameters<typeof model.forward>) => {
        passes++
        return model.forward(...given)
      },
    }
    const outputs = await forwardAll(counted, sequences)
    expect(passes).toBe(3)
    expect(outputs[outputs.length - 1]).toEqual((await model.forward(sequences.slice(-1)))[0])
  })
})
