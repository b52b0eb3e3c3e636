import { describe, expect, it } from 'vitest'
import type { Model, TrainableModel } from './model.ts'
import { probeLoss, sequenceOf, tinyModel } from './testing/tiny-model.ts'

const row = [sequenceOf([1, 2, 3, 4, 5])]
const examples = [{ sequences: row }]
const DISPOSED = 'this model was disposed'

const calls: [string, (model: Model) => Promise<unknown>][] = [
  ['forward', (model) => model.forward(row)],
  ['sample', (model) => model.sample({ prompt: [1], maxTokens: 2, onToken: () => {} })],
  ['trainable', (model) => model.trainable({ full: true })],
  ['parameter', (model) => model.parameter('model.norm.weight')],
  ['parameterNames', (model) => model.parameterNames()],
  ['version', (model) => model.version()],
  ['saveWeights', (model) => model.saveWeights('never-written')],
]
const trainableCalls: [string, (model: TrainableModel) => Promise<unknown>][] = [
  ...calls,
  ['forwardBackward', (model) => model.forwardBackward(examples, probeLoss)],
  ['gradient', (model) => model.gradient('model.norm.weight')],
  ['setParameter', (model) => model.setParameter('model.norm.weight', new Float32Array(64))],
  ['optimStep', (model) => model.optimStep({ learningRate: 0.1 })],
  ['zeroGradients', (model) => model.zeroGradients()],
  ['resetOptimizer', (model) => model.resetOptimizer()],
  ['snapshot', (model) => model.snapshot()],
  ['saveState', (model) => model.saveState('never-written')],
  ['loadState', (model) => model.loadState('never-read')],
  ['loadAdapter', (model) => model.loadAdapter('never-read')],
]

describe('a disposed model', () => {
  it.each(calls)('refuses %s', async (_, call) => {
    const model = await tinyModel('llama-gqa-tied', 'bf16')
    await model.dispose()
    await expect(call(model)).rejects.toThrow(DISPOSED)
  })

  it.each(trainableCalls)('that was trained refuses %s', async (_, call) => {
    const model = await (await tinyModel('llama-gqa-tied', 'bf16')).trainable({ full: true })
    await model.dispose()
    await expect(call(model)).rejects.toThrow(DISPOSED)
  })

  it('can be disposed again, and still says what it was', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16')
    await Promise.all([model.dispose(), model.dispose()])
    await model.dispose()
    expect(model.info.vocabularySize).toBe(257)
    expect(model.tokenizer.encode('a')).toHaveLength(1)
  })

  it('leaves what was made of it, and what it was made of', async () => {
    const base = await tinyModel('llama-gqa-tied', 'bf16')
    const adapted = await base.trainable({ lora: { rank: 2 } })
    const snapshot = await adapted.snapshot()
    const before = await base.forward(row)
    await adapted.dispose()
    expect(await base.forward(row)).toEqual(before)
    expect(await snapshot.forward(row)).toEqual(before)
    const next = await base.trainable({ lora: { rank: 2 } })
    await base.dispose()
    await next.forwardBackward(examples, probeLoss)
    await next.optimStep({ learningRate: 0.01 })
    expect(await next.forward(row)).not.toEqual(before)
  })

  it('finishes what was asked before', async () => {
    const model = await (await tinyModel('llama-gqa-tied', 'bf16')).trainable({ full: true })
    const sampled = model.sample({ prompt: [1, 2], n: 3, maxTokens: 50, stopTokens: [] })
    const batch = model.forwardBackward(examples, probeLoss)
    const step = model.optimStep({ learningRate: 0.1 })
    const done = model.dispose()
    expect((await sampled).map(({ tokens }) => tokens.length)).toEqual([50, 50, 50])
    expect((await batch).microBatches).toBe(1)
    expect((await step).gradientNorm).toBeGreaterThan(0)
    await done
  })

  it('is disposed at the end of its block', async () => {
    let kept: Model
    {
      await using model = await tinyModel('llama-gqa-tied', 'bf16')
      kept = model
    }
    await expect(kept.forward(row)).rejects.toThrow(DISPOSED)
  })
})
