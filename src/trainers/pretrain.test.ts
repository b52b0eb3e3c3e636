import { describe, expect, it } from 'vitest'
import type { TrainableModel } from '../engine/index.ts'
import { documentWindows, encodeDocument, encodeMaskedDocument, hideInWindow } from './encode-documents.ts'
import { measureLoss } from './measure-loss.ts'
import { type PretrainOptions, pretrain } from './pretrain.ts'
import { byteTokenizer, trainableBytes } from './testing/byte-model.ts'
import { reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'

const words = ['red', 'blue', 'green', 'grey']
/** Which colour comes is not to be foretold; the rest is, and the second colour is the first. */
const texts = (from: number, count: number) =>
  Array.from(
    { length: count },
    (_, i) => `the ${words[(from + i) % 4]} fox and the ${words[(from + i) % 4]} hen. `,
  )
const documents = texts(0, 12)
const masked = { kind: 'masked', maskToken: '<|mask|>', hiding: { rate: 0.3 } } as const
const optimizer = { learningRate: 0.01, warmupSteps: 3, schedule: 'cosine' } as const

async function lossOfWords(model: TrainableModel, objective: PretrainOptions['objective']): Promise<number> {
  const tokenizer = await byteTokenizer()
  const examples = texts(1, 4).flatMap((text) =>
    objective === 'causal'
      ? encodeDocument(tokenizer, text, 128)
      : encodeMaskedDocument(tokenizer, text, 128, masked),
  )
  return (await measureLoss(model, examples)).loss
}

/** Numbers in [0, 1) that hide every third token or so, as tokens of a mask. */
function cycle(start: number): () => number {
  let at = start
  return () => (at++ * 0.37) % 1
}

describe('pretrain', () => {
  it.each(['causal', masked] as const)('learns to foretell with the objective %o', async (objective) => {
    const model = await trainableBytes()
    const before = await lossOfWords(model, objective)
    await reportsOf(pretrain({ model, documents, objective, optimizer, batch: { tokens: 256 }, steps: 60 }))
    expect(before).toBeGreaterThan(5)
    expect(await lossOfWords(model, objective)).toBeLessThan(objective === 'causal' ? 0.5 : 2)
  })

  it.each(['causal', masked] as const)('learns nothing at learning rate 0 with %o', async (objective) => {
    const model = await trainableBytes()
    const before = await lossOfWords(model, objective)
    const still = { learningRate: 0 }
    await reportsOf(
      pretrain({ model, documents, objective, optimizer: still, batch: { tokens: 256 }, steps: 4 }),
    )
    expect(await lossOfWords(model, objective)).toBe(before)
  })

  it.each(['causal', masked] as const)(
    'repeats to the bit, broken off or not, with %o',
    async (objective) => {
      await expectRepeatable(async (run) => {
        const model = await trainableBytes()
        const batch = { tokens: 200 }
        return { model, stage: pretrain({ model, documents, objective, optimizer, batch, epochs: 2, run }) }
      })
    },
  )

  it('reads a stream, again in each epoch, and repeats to the bit', async () => {
    let loops = 0
    const stream = {
      async *[Symbol.asyncIterator]() {
        loops++
        yield* documents
      },
    }
    await expectRepeatable(async (run) => {
      const model = await trainableBytes()
      const options = {
        model,
        documents: stream,
        optimizer,
        batch: { tokens: 200 },
        steps: 6,
        shuffleAmong: 5,
        run,
      }
      return { model, stage: pretrain(options) }
    }, 4)
    expect(loops).toBeGreaterThan(4)
  })

  it('takes as many steps as epochs need and sees every token in each', async () => {
    const model = await trainableBytes()
    const reports = await reportsOf(
      pretrain({ model, documents, optimizer, batch: { tokens: 100 }, epochs: 2, context: 16 }),
    )
    const bytes = documents.join('').length
    expect(reports.reduce((sum, { metrics }) => sum + metrics.tokens!, 0)).toBe(2 * bytes)
    expect(Math.max(...reports.map(({ metrics }) => metrics.tokens!))).toBeLessThanOrEqual(100)
  })

  it('refuses what it cannot learn from, and says how to mend it', async () => {
    const model = await trainableBytes()
    const start = (more: Partial<PretrainOptions> & Record<string, unknown>) =>
      expect(reportsOf(pretrain({ model, documents, optimizer, ...more }))).rejects
    await start({ documents: [''] }).toThrow('none of 1 documents')
    await start({ documents: [1 as unknown as string] }).toThrow('document 0 is not a text but number')
    await start({ documents: new Set(['a']) }).toThrow('give steps')
    await start({ documents: documents.values(), steps: 1 }).toThrow('looped over only once')
    await start({ context: 129 }).toThrow("context is 129; the model's is 128")
    await start({ steps: 1, epochs: 1 }).toThrow('give steps or epochs')
    await start({ objective: { kind: 'masked', maskToken: '<mask>' } }).toThrow(
      '"<mask>" is not in the vocabulary',
    )
    await start({ learningRate: 1 }).toThrow('unknown option "learningRate"')
  })

  it('says how many documents were too short', async () => {
    const model = await trainableBytes()
    const reports = await reportsOf(pretrain({ model, documents: ['', 'ab', ''], optimizer, epochs: 2 }))
    expect(reports.map(({ warnings }) => warnings)).toEqual([
      ['2 of 3 documents were too short to learn from'],
      [],
    ])
  })
})

describe('encodeDocument', () => {
  it('asks for every token but the first once, in windows of the context', async () => {
    const tokenizer = await byteTokenizer()
    const text = 'abcdefghij'
    const examples = encodeDocument(tokenizer, text, 4)
    expect(examples.map(({ sequences }) => sequences[0]!.input.length)).toEqual([4, 4, 2])
    const asked = examples.flatMap(({ sequences }) => [...sequences[0]!.target])
    expect(tokenizer.decode(asked)).toBe('bcdefghij<|end|>')
    expect(encodeDocument(tokenizer, '', 4)).toEqual([])
  })

  it('reads the text of a special token as characters', async () => {
    const [example] = encodeDocument(await byteTokenizer(), '<|mask|>', 64)
    expect(example!.sequences[0]!.input.length).toBe(8)
  })
})

describe('hideInWindow', () => {
  it('always hides a token and never a special one', async () => {
    const tokenizer = await byteTokenizer()
    const [window] = documentWindows(tokenizer, 'ab', 64)
    for (let start = 0; start < 50; start++) {
      const { masks, sequences } = hideInWindow(tokenizer, window!, { maskToken: '<|mask|>' }, cycle(start))
      expect(masks[0]).toContain(1)
      expect(masks[0]![2]).toBe(0)
      expect(sequences[0]!.attention).toBe('bidirectional')
    }
    const rare = { maskToken: '<|mask|>', hiding: { rate: 1e-12 } }
    const places = Array.from(
      { length: 40 },
      (_, i) => hideInWindow(tokenizer, window!, rare, cycle(i)).masks[0]!,
    )
    expect(new Set(places.map((mask) => Array.from(mask).join('')))).toEqual(new Set(['100', '010']))
  })
})
