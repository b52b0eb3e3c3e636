import { describe, expect, it } from 'vitest'
import type { PreferencePair } from '../data/index.ts'
import { dpo } from './dpo.ts'
import { pretrain } from './pretrain.ts'
import { sft } from './sft.ts'
import type { StageReport } from './stage.ts'
import { trainableBytes } from './testing/byte-model.ts'
import { type MemoryRun, memoryRun, repeatable } from './testing/memory-run.ts'

const documents = ['the cat sat', 'the dog ran', 'a cow stood', 'one hen flew']
const prompt = (content: string) => [{ role: 'user' as const, content }]
const answer = (content: string) => [{ role: 'assistant' as const, content }]
const examples = documents.map((text) => ({ messages: [...prompt(text[4]!), ...answer(text)] }))
const pairs: PreferencePair[] = documents.map((text) => ({
  prompt: prompt(text[4]!),
  chosen: answer(text),
  rejected: answer('no'),
}))

/** Three stages on one model; the reference of the last is the model as the second left it. */
async function* pipeline(run: MemoryRun): AsyncGenerator<StageReport> {
  const model = await trainableBytes()
  const shared = { model, optimizer: { learningRate: 0.005 }, batch: { examples: 2 }, epochs: 2, run }
  yield* pretrain({ ...shared, documents })
  yield* sft({ ...shared, examples })
  yield* dpo({ ...shared, pairs })
}

async function outcome(breaks: number[]): Promise<object[]> {
  const run = await memoryRun({ seed: 2, every: 1000 })
  try {
    for (const until of [...breaks, Number.POSITIVE_INFINITY]) {
      let reports = 0
      for await (const _ of pipeline(run)) if (++reports >= until) break
    }
    return repeatable(run.reports)
  } finally {
    await run.close()
  }
}

describe('stages of one run', () => {
  it('go on from wherever they were broken off, to the same bits', async () => {
    const whole = await outcome([])
    expect(whole.length).toBe(12)
    for (const breaks of [[1], [4], [6], [8], [9], [3, 3, 3]]) expect(await outcome(breaks)).toEqual(whole)
  })
})
