import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Sequence } from './contract.ts'
import type { TrainableModel, TrainingOptions } from './model.ts'
import {
  createRandom,
  probeLoss,
  randomTokens,
  relativeError,
  sequenceOf,
  tinyModel,
} from './testing/tiny-model.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-engine-'))
})
afterAll(() => rm(directory, { recursive: true }))

const examplesOf = (seed: number, count: number) => {
  const random = createRandom(seed)
  const stem = randomTokens(random, 40)
  return Array.from({ length: count }, () => ({
    sequences: [1, 2].map(() =>
      sequenceOf([...stem.slice(0, random(40)), ...randomTokens(random, 2 + random(50))]),
    ),
  }))
}

async function gradientsOf(model: TrainableModel, names: string[]): Promise<Float32Array[]> {
  return Promise.all(names.map((name) => model.gradient(name)))
}

/** Central differences along a random direction of one parameter. */
async function checkGradient(
  model: TrainableModel,
  name: string,
  sequences: Sequence[],
  options: TrainingOptions,
) {
  const random = createRandom(name.length)
  await model.zeroGradients()
  await model.forwardBackward([{ sequences }], probeLoss, options)
  const gradient = await model.gradient(name)
  await model.zeroGradients()
  const start = await model.parameter(name)
  const direction = Float32Array.from(start, () => random(2001) / 1000 - 1)
  const step = 2e-3
  const lossAt = async (shift: number) => {
    await model.setParameter(
      name,
      Float32Array.from(start, (value, i) => value + shift * direction[i]!),
    )
    const outputs = await model.forward(sequences, options)
    return probeLoss({ sequences }, outputs).loss
  }
  const measured = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step)
  await model.setParameter(name, start)
  const expected = gradient.reduce((sum, value, i) => sum + value * direction[i]!, 0)
  expect(Math.abs(measured - expected) / Math.max(Math.abs(expected), 1), name).toBeLessThan(0.02)
}

describe('gradients', () => {
  it('of log-probabilities, entropy and values agree with finite differences, under every mask', async () => {
    const base = await tinyModel('qwen3-qk-norm', 'f32')
    const model = await base.trainable({ full: true }, 'value')
    const random = createRandom(1)
    const attentions = [undefined, 'bidirectional', { prefix: 9 }] as const
    const sequences = attentions.map((attention) => ({
      ...sequenceOf(randomTokens(random, 24)),
      ...(attention && { attention }),
    }))
    const options = { entropy: true, values: true, temperature: 1.3 }
    for (const name of ['score.weight', 'model.norm.weight', 'model.layers.0.self_attn.q_norm.weight'])
      await checkGradient(model, name, sequences, options)
    for (const part of [
      'self_attn.k_proj',
      'self_attn.v_proj',
      'self_attn.o_proj',
      'mlp.up_proj',
      'mlp.down_proj',
    ])
      await checkGradient(model, `model.layers.1.${part}.weight`, sequences, options)
  })

  it('of an adapter and its value head agree with finite differences', async () => {
    const base = await tinyModel('qwen2-qkv-bias', 'f32')
    const model = await base.trainable({ lora: { rank: 3, alpha: 6, seed: 4 } }, 'value')
    const sequences = [sequenceOf(randomTokens(createRandom(2), 30))]
    await model.forwardBackward([{ sequences }], probeLoss, { values: true })
    await model.optimStep({ learningRate: 0.02 })
    for (const part of ['q_proj', 'k_proj', 'v_proj'])
      for (const side of ['A', 'B'])
        await checkGradient(model, `model.layers.0.self_attn.${part}.lora_${side}.weight`, sequences, {
          values: true,
        })
    await checkGradient(model, 'score.weight', sequences, { values: true })
  })

  it('of a shared prefix equal those computed separately', async () => {
    const base = await tinyModel('llama-gqa-tied', 'f32')
    const names = await base.parameterNames()
    const examples = examplesOf(3, 6)
    const [shared, apart] = await Promise.all([
      base.trainable({ full: true }),
      base.trainable({ full: true }),
    ])
    await shared.forwardBackward(examples, probeLoss)
    await apart.forwardBackward(examples, probeLoss, { sharePrefixes: false })
    const [got, want] = [await gradientsOf(shared, names), await gradientsOf(apart, names)]
    for (const [index, name] of names.entries())
      expect(relativeError(got[index]!, want[index]!), name).toBeLessThan(2e-5)
  })

  it('do not depend on micro-batches, and not a bit on recomputation or threads', async () => {
    const examples = examplesOf(5, 8)
    const small = await tinyModel('llama-gqa-tied', 'f32', { activationBytes: 400_000 })
    const names = await small.parameterNames()
    const run = async (
      options: { threads?: number; activationBytes?: number },
      training: TrainingOptions,
    ) => {
      const model = await (await tinyModel('llama-gqa-tied', 'f32', options)).trainable({ full: true })
      const report = await model.forwardBackward(examples, probeLoss, training)
      return { report, gradients: await gradientsOf(model, names) }
    }
    const whole = await run({}, {})
    expect(whole.report.microBatches).toBe(1)
    expect((await run({ threads: 1 }, { recompute: true })).gradients).toEqual(whole.gradients)
    expect((await run({ threads: 3 }, {})).gradients).toEqual(whole.gradients)
    const split = await run({ activationBytes: 400_000 }, {})
    expect(split.report.microBatches).toBeGreaterThan(2)
    expect(split.report.loss).toBeCloseTo(whole.report.loss, 3)
    for (const [index, name] of names.entries())
      expect(relativeError(split.gradients[index]!, whole.gradients[index]!), name).toBeLessThan(2e-5)
  })

  it('ignore positions without a target', async () => {
    const base = await tinyModel('llama-gqa-tied', 'f32')
    const full = sequenceOf(randomTokens(createRandom(8), 20))
    const asked = { input: full.input, target: full.target.map((token, i) => (i < 10 ? -1 : token)) }
    const [all, some] = [(await base.forward([full]))[0]!, (await base.forward([asked]))[0]!]
    expect(some.logprobs.slice(10)).toEqual(all.logprobs.slice(10))
    expect(some.logprobs.slice(0, 10)).toEqual(new Float32Array(10))
  })
})

describe('training', () => {
  it.each([{ full: true } as const, { lora: { rank: 4 } }])(
    'learns a sequence by heart with %o',
    async (method) => {
      const model = await (await tinyModel('llama-gqa-tied', 'bf16')).trainable(method)
      const sequences = [sequenceOf(randomTokens(createRandom(4), 20))]
      const nll = (_: unknown, [output]: { logprobs: Float32Array }[]) => ({
        loss: -output!.logprobs.reduce((sum, value) => sum + value, 0),
        gradients: [{ logprobs: new Float32Array(output!.logprobs.length).fill(-1) }],
        metrics: {},
      })
      const first = (await model.forwardBackward([{ sequences }], nll)).loss
      for (let step = 0; step < 60; step++) {
        await model.optimStep({ learningRate: 0.02 })
        await model.forwardBackward([{ sequences }], nll)
      }
      await model.zeroGradients()
      expect((await model.forwardBackward([{ sequences }], nll)).loss).toBeLessThan(first / 4)
    },
  )

  it('Muon lowers the loss and leaves the base as it was', async () => {
    const base = await tinyModel('llama-gqa-tied', 'f32')
    const sequences = [sequenceOf(randomTokens(createRandom(4), 20))]
    const before = await base.forward(sequences)
    const model = await base.trainable({ full: true })
    const losses: number[] = []
    for (let step = 0; step < 10; step++) {
      losses.push((await model.forwardBackward([{ sequences }], probeLoss)).loss)
      await model.optimStep({ kind: 'muon', learningRate: 0.02, adamw: { learningRate: 0.005 } })
    }
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 5)
    expect(await base.forward(sequences)).toEqual(before)
  })

  it("moments of one optimiser are never taken for the other one's, also after a saved state", async () => {
    const base = await tinyModel('llama-gqa-tied', 'bf16')
    const adamw = { learningRate: 0.01 }
    const muon = { kind: 'muon' as const, learningRate: 0.02, adamw }
    const gather = (model: TrainableModel, seed: number) =>
      model.forwardBackward(examplesOf(seed, 2), probeLoss)
    const model = await base.trainable({ full: true })
    await gather(model, 1)
    await model.optimStep(muon)
    const folder = join(directory, 'muon')
    await model.saveState(folder)
    const resumed = await base.trainable({ full: true })
    await resumed.loadState(folder)
    const weights = await model.parameter('model.norm.weight')
    for (const trained of [model, resumed]) {
      await gather(trained, 2)
      await expect(trained.optimStep(adamw)).rejects.toThrow(
        "optimStep: this is a step of adamw, but the moments are of muon's steps and mean something else; call resetOptimizer() first",
      )
      expect(await trained.parameter('model.norm.weight')).toEqual(weights)
      await trained.resetOptimizer()
      await trained.optimStep(adamw)
    }
    expect(await resumed.parameter('model.norm.weight')).toEqual(await model.parameter('model.norm.weight'))
  })

  it('a reset optimiser steps as a new one does', async () => {
    const base = await tinyModel('llama-gqa-tied', 'f32')
    const model = await base.trainable({ full: true })
    const before = await model.parameter('model.norm.weight')
    const step = async () => {
      await model.forwardBackward(examplesOf(3, 2), probeLoss)
      await model.optimStep({ learningRate: 0.01 })
    }
    await step()
    const first = await model.parameter('model.norm.weight')
    await model.resetOptimizer()
    for (const name of await model.parameterNames())
      await model.setParameter(name, await base.parameter(name))
    expect(await model.parameter('model.norm.weight')).toEqual(before)
    await step()
    expect(await model.parameter('model.norm.weight')).toEqual(first)
  })

  it.each([{ full: true } as const, { lora: { rank: 2 } }])(
    'a saved state goes on to the same bits, with %o',
    async (method) => {
      const base = await tinyModel('llama-gqa-tied', 'bf16')
      const folder = join(directory, JSON.stringify(method).replace(/\W/g, ''))
      const step = async (model: TrainableModel, seed: number) => {
        await model.forwardBackward(examplesOf(seed, 3), probeLoss)
        await model.optimStep({ learningRate: 0.01, weightDecay: 0.1 })
      }
      const through = await base.trainable(method)
      for (const seed of [1, 2]) await step(through, seed)
      await through.saveState(folder)
      const resumed = await base.trainable(method)
      await resumed.loadState(folder)
      for (const model of [through, resumed]) for (const seed of [3, 4]) await step(model, seed)
      const row = [sequenceOf(randomTokens(createRandom(6), 50))]
      expect(await resumed.forward(row)).toEqual(await through.forward(row))
    },
  )

  it('a saved checkpoint and a saved adapter load with the same log-probabilities', async () => {
    const base = await tinyModel('qwen2-qkv-bias', 'f32')
    const row = [sequenceOf(randomTokens(createRandom(6), 50))]
    const full = await base.trainable({ full: true })
    const lora = { lora: { rank: 3, alpha: 5, targetModules: ['q_proj', 'down_proj'] } }
    const adapted = await base.trainable(lora)
    for (const model of [full, adapted]) {
      await model.forwardBackward(examplesOf(1, 2), probeLoss)
      await model.optimStep({ learningRate: 0.01 })
    }
    await full.saveWeights(join(directory, 'full'))
    const { loadModel } = await import('./load-model.ts')
    const again = await loadModel(join(directory, 'full'), { precision: 'f32', threads: 2 })
    expect(await again.forward(row)).toEqual(await full.forward(row))
    await adapted.saveWeights(join(directory, 'adapter'))
    const fresh = await base.trainable(lora)
    await fresh.loadAdapter(join(directory, 'adapter'))
    expect(await fresh.forward(row)).toEqual(await adapted.forward(row))
  })

  it('a snapshot stays while training goes on', async () => {
    const model = await (await tinyModel('llama-gqa-tied', 'bf16')).trainable({ full: true })
    const row = [sequenceOf(randomTokens(createRandom(6), 50))]
    const snapshot = await model.snapshot()
    const before = await model.forward(row)
    await model.forwardBackward(examplesOf(1, 2), probeLoss)
    await model.optimStep({ learningRate: 0.01 })
    expect(await snapshot.forward(row)).toEqual(before)
    expect(await model.forward(row)).not.toEqual(before)
  })
})

describe('errors', () => {
  it('a bad gradient names what is wrong and changes no weight', async () => {
    const model = await (await tinyModel('llama-gqa-tied', 'bf16')).trainable({ full: true })
    const sequences = [sequenceOf([1, 2, 3, 4])]
    const before = await model.forward(sequences)
    const bad = (value: number) =>
      model.forwardBackward([{ sequences }], (_, [output]) => ({
        loss: 0,
        gradients: [{ logprobs: new Float32Array(output!.logprobs.length).fill(value) }],
        metrics: {},
      }))
    await expect(bad(Number.NaN)).rejects.toThrow(/NaN as the gradient of logprobs\[0\] of sequence 0/)
    await bad(3e38)
    await expect(model.optimStep({ learningRate: 0.1 })).rejects.toThrow(/the gradient of .*weight is/)
    expect(await model.forward(sequences)).toEqual(before)
  })

  it('say which token, length or setting is wrong', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16')
    const input = Int32Array.of(1, 2, 3)
    await expect(model.forward([{ input, target: Int32Array.of(1, 2, 999) }])).rejects.toThrow(
      'sequence 0, target[2] is token 999',
    )
    await expect(model.forward([{ input: Int32Array.of(-1), target: Int32Array.of(2) }])).rejects.toThrow(
      'sequence 0, input[0]',
    )
    await expect(model.forward([{ input, target: Int32Array.of(1) }])).rejects.toThrow('3 input and 1 target')
    await expect(model.forward([{ input, target: input }], { temperature: 0 })).rejects.toThrow(
      'temperature is 0',
    )
    await expect(model.forward([{ input, target: input }], { values: true })).rejects.toThrow(
      'without a value head',
    )
    await expect(model.sample({ prompt: [] })).rejects.toThrow('the prompt has no tokens')
    await expect(model.sample({ prompt: [300] })).rejects.toThrow('prompt[0] is 300')
    await expect(model.sample({ prompt: [1], topP: 0 })).rejects.toThrow('topP')
    await expect(model.sample({ prompt: new Int32Array(600) })).rejects.toThrow('context of 512')
    await expect(model.trainable({ lora: { rank: 0 } })).rejects.toThrow('lora.rank is 0')
    await expect(model.trainable({ lora: { rank: 1, targetModules: ['x_proj'] } })).rejects.toThrow(
      "'x_proj'",
    )
    const small = await tinyModel('llama-gqa-tied', 'bf16', { kvBytes: 50_000 })
    await expect(small.sample({ prompt: [1], maxTokens: 400 })).rejects.toThrow(
      /raise kvBytes when loading the model, to \d{5,} at least/,
    )
  })
})
