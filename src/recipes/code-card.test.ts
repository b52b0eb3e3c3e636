import { expect, it } from 'vitest'
import type { Model } from '../engine/index.ts'
import type { Run } from '../runs/index.ts'
import type { Sandbox } from '../sandbox/index.ts'
import { createCodeCard } from './code-card.ts'

it('a stage that progress calls by another name has both in the table and the log, and its own in what is kept', async () => {
  const kept: string[] = []
  const said: string[] = []
  const once = async (name: string) => {
    kept.push(name)
    return { values: { 'pass@1': 0.5 }, answers: [] }
  }
  const benchmark = {
    name: '',
    tasks: [],
    samples: 1,
    temperature: 1,
    maxTokens: 8,
    prompting: 'chat' as const,
  }
  const card = createCodeCard({
    run: { once } as unknown as Run,
    model: {} as Model,
    sandbox: {} as Sandbox,
    benchmarks: [benchmark],
    log: (text) => said.push(text),
  })
  await card.measure('sft')
  await card.measure('preference', { shownAs: 'gdpo-contrast' })
  expect(card.finish().stages?.map(({ name }) => name)).toEqual(['sft', 'preference (gdpo-contrast)'])
  expect(said).toEqual(['sft: pass@1 50.0 %', 'preference (gdpo-contrast): pass@1 50.0 %'])
  expect(kept).toEqual(['sft', 'preference'])
})
