import { describe, expect, it } from 'vitest'
import type { Loss, TrainableModel } from './index.ts'
import { createRandom, probeLoss, randomTokens, sequenceOf, tinyModel } from './testing/tiny-model.ts'

const prompts = [1, 2, 3].map((seed) => randomTokens(createRandom(seed), 20 + seed))

/** Examples of samples that are drawn from a model, all but the first turn's prompts extending what was drawn before. */
async function drawn(model: TrainableModel) {
  const first = await Promise.all(prompts.map((prompt) => model.sample({ prompt, n: 2, maxTokens: 12 })))
  const answers = first.flat().map(({ promptTokens, tokens }) => [...promptTokens, ...tokens])
  const second = await model.sample({ prompt: [...answers[0]!, 5, 6, 7], maxTokens: 12 })
  const all = [...answers, ...second.map(({ promptTokens, tokens }) => [...promptTokens, ...tokens])]
  return all.map((tokens) => ({ sequences: [sequenceOf(tokens)] }))
}

describe('keepSampled', () => {
  it.each(['full', 'lora'] as const)('spares the forward pass and changes no bit: %s', async (method) => {
    const base = await tinyModel('qwen3-qk-norm', 'bf16')
    const outcome = async (on: boolean) => {
      const model = await base.trainable(method === 'full' ? { full: true } : { lora: { rank: 2 } })
      await model.keepSampled(on)
      const heard: Float32Array[] = []
      const hearing: Loss<{ sequences: ReturnType<typeof sequenceOf>[] }> = (example, outputs) => {
        heard.push(...outputs.map(({ logprobs }) => logprobs))
        return probeLoss(example, outputs)
      }
      const counts: number[] = []
      for (let step = 0; step < 3; step++) {
        const examples = await drawn(model)
        for (const recompute of [false, true]) {
          const report = await model.forwardBackward(examples, hearing, { recompute, entropy: true })
          counts.push(report.sampledMicroBatches / report.microBatches)
        }
        await model.optimStep({ learningRate: 0.01 })
        const again = await model.forwardBackward(examples, hearing)
        counts.push(again.sampledMicroBatches)
        await model.zeroGradients()
      }
      const names = (await model.parameterNames()).slice(0, 12)
      return { heard, counts, weights: await Promise.all(names.map((name) => model.parameter(name))) }
    }
    const [kept, computed] = [await outcome(true), await outcome(false)]
    expect(kept.counts).toEqual([1, 1, 0, 1, 1, 0, 1, 1, 0])
    expect(computed.counts.every((count) => count === 0)).toBe(true)
    expect({ ...kept, counts: [] }).toEqual({ ...computed, counts: [] })
  })

  it('is told to by true or false, and can be forgotten after the model is gone', async () => {
    const model = await (await tinyModel('llama-gqa-tied', 'bf16')).trainable({ full: true })
    await expect(model.keepSampled('yes' as never)).rejects.toThrow(
      /^keepSampled: its argument is 'yes'; it must be true or false/,
    )
    await model.dispose()
    await expect(model.keepSampled(true)).rejects.toThrow(/disposed/)
    await model.forgetSampled()
  })
})
