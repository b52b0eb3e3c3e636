import { describe, expect, it } from 'vitest'
import type { TrainableModel } from '../engine/index.ts'
import {
  createRandom,
  randomTokens,
  relativeError,
  sequenceOf,
  tinyModel,
} from '../engine/testing/tiny-model.ts'
import { algorithm, tokenTotals } from '../losses/index.ts'
import { accumulateGradients, tokensPerSecond, trainStep } from './train-step.ts'

const random = createRandom(3)
const examples = [12, 30, 7, 22, 5].map((length) => {
  const sequence = sequenceOf(randomTokens(random, length))
  return { sequences: [sequence], masks: [new Uint8Array(length - 1).fill(1)] }
})
const loss = algorithm('sft').build({}, tokenTotals(examples.flatMap(({ masks }) => masks)))
const model = async () => (await tinyModel('llama-gqa-tied', 'f32')).trainable({ full: true })

describe('trainStep', () => {
  it('gives the same loss and gradients in any number of parts, and of micro-batches', async () => {
    const run = async (accumulation: number, memory = {}) => {
      const trained = await (await tinyModel('llama-gqa-tied', 'f32', memory)).trainable({ full: true })
      const report = await accumulateGradients({
        model: trained,
        examples,
        loss,
        optimizer: { accumulation },
      })
      return { report, gradient: await trained.gradient('model.embed_tokens.weight') }
    }
    const whole = await run(1)
    const split = [2, 3, 5, 9].map((accumulation) => ({ accumulation, memory: {} }))
    for (const { accumulation, memory } of [
      ...split,
      { accumulation: 1, memory: { activationBytes: 200_000 } },
    ]) {
      const parts = await run(accumulation, memory)
      expect(parts.report.microBatches).toBeGreaterThanOrEqual(Math.min(Math.max(accumulation, 2), 5))
      expect(parts.report.loss).toBeCloseTo(whole.report.loss, 5)
      expect(parts.report.metrics.nll).toBeCloseTo(whole.report.metrics.nll!, 5)
      expect(parts.report.tokens).toBe(whole.report.tokens)
      expect(relativeError(parts.gradient, whole.gradient)).toBeLessThan(2e-5)
    }
  })

  it('follows the schedule and reports what it did', async () => {
    const trained = await model()
    const optimizer = { learningRate: 0.01, schedule: 'linear', warmupSteps: 2 } as const
    const rates: number[] = []
    for (let step = 0; step < 4; step++) {
      const { metrics, seconds } = await trainStep({
        model: trained,
        examples,
        loss,
        optimizer,
        step,
        steps: 4,
      })
      rates.push(metrics.learningRate!)
      expect(Object.keys(metrics)).toEqual(['loss', 'nll', 'gradientNorm', 'learningRate', 'tokens'])
      expect(seconds.forwardBackward).toBeGreaterThan(0)
      expect(tokensPerSecond({ metrics, seconds })).toBeGreaterThan(0)
    }
    expect(rates).toEqual([0.005, 0.01, 0.01, 0.005])
  })

  it('with Muon lowers the loss, and with learning rate 0 changes no weight', async () => {
    const train = async (trained: TrainableModel, learningRate: number) => {
      const losses: number[] = []
      for (let step = 0; step < 4; step++) {
        const optimizer = { kind: 'muon', learningRate } as const
        losses.push(
          (await trainStep({ model: trained, examples, loss, optimizer, step, steps: 4 })).metrics.loss!,
        )
      }
      return losses
    }
    const [first, , , last] = await train(await model(), 0.02)
    expect(last!).toBeLessThan(first! - 0.5)
    expect(new Set(await train(await model(), 0)).size).toBe(1)
  })

  it('refuses an empty batch', async () => {
    const options = {
      model: await model(),
      examples: [],
      loss,
      optimizer: { learningRate: 1 },
      step: 0,
      steps: 1,
    }
    await expect(trainStep(options)).rejects.toThrow('no example in the batch')
  })
})
