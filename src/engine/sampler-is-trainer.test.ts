import { describe, expect, it } from 'vitest'
import type { Model, Sample, TrainableModel } from './model.ts'
import {
  createRandom,
  probeLoss,
  randomTokens,
  sequenceOf,
  type TinyName,
  tinyModel,
} from './testing/tiny-model.ts'

/** Requests whose prompts overlap at random, so that pages are shared, split and copied. */
function requestsOf(seed: number, count: number) {
  const random = createRandom(seed)
  const stem = randomTokens(random, 90)
  return Array.from({ length: count }, () => {
    const prompt = Int32Array.from([...stem.slice(0, random(90)), ...randomTokens(random, 1 + random(40))])
    const temperature = [0, 0.7, 1, 1.3][random(4)] as number
    return {
      prompt,
      n: 1 + random(3),
      maxTokens: 1 + random(50),
      temperature,
      topP: random(2) ? 1 : 0.9,
      seed: random(1000),
    }
  })
}

async function scoreOf(model: Model, sample: Sample, temperature: number): Promise<Float32Array> {
  const all = [...sample.promptTokens, ...sample.tokens]
  const [output] = await model.forward([sequenceOf(all)], { temperature: temperature || 1 })
  return output!.logprobs.slice(sample.promptTokens.length - 1)
}

/** Every sample of a crowd of requests has the bits of scoring it alone. Gives back how many samples were compared. */
async function compareCrowd(model: Model, seed: number, count: number): Promise<Sample[][]> {
  const requests = requestsOf(seed, count)
  const drawn = await Promise.all(requests.map((request) => model.sample(request)))
  for (const [index, samples] of drawn.entries())
    for (const sample of samples)
      expect(sample.logprobs).toEqual(await scoreOf(model, sample, requests[index]!.temperature))
  return drawn
}

const cases: [TinyName, 'f32' | 'bf16'][] = [
  ['llama-gqa-tied', 'bf16'],
  ['llama-gqa-tied', 'f32'],
  ['qwen3-qk-norm', 'bf16'],
  ['mistral-sliding-window', 'bf16'],
  ['llama-mqa-headdim32', 'f32'],
]

describe('the sampler is the trainer, bit for bit', () => {
  it.each(cases)(
    '%s in %s: a sample has the log-probabilities of scoring it, in any company',
    async (name, precision) => {
      const model = await tinyModel(name, precision)
      for (let seed = 0; seed < 8; seed++) await compareCrowd(model, seed, 10)
    },
  )

  it('the same seed draws the same tokens alone, in a crowd, with any threads and memory', async () => {
    const reference = await compareCrowd(await tinyModel('llama-gqa-tied', 'bf16'), 3, 12)
    for (const options of [{ threads: 1 }, { threads: 3 }, { kvBytes: 300_000 }]) {
      const model = await tinyModel('llama-gqa-tied', 'bf16', options)
      for (const [index, request] of requestsOf(3, 12).entries()) {
        const alone = await model.sample(request)
        expect(alone).toEqual(reference[index])
      }
    }
  })

  it('requests wait for memory and all come back', async () => {
    const model = await tinyModel('llama-gqa-tied', 'bf16', { kvBytes: 150_000 })
    const requests = requestsOf(5, 40)
    const drawn = await Promise.all(requests.map((request) => model.sample(request)))
    expect(drawn.map((samples) => samples.length)).toEqual(requests.map((request) => request.n))
  })

  it.each(['f32', 'bf16'] as const)(
    'forward gives a row the same bits in hundreds of random batches, in %s',
    async (precision) => {
      const random = createRandom(11)
      const stem = randomTokens(random, 70)
      const rows = Array.from({ length: 60 }, () =>
        sequenceOf([...stem.slice(0, random(70)), ...randomTokens(random, 2 + random(60))]),
      )
      const model = await tinyModel('llama-gqa-tied', precision)
      const models = [model, await tinyModel('llama-gqa-tied', precision, { threads: 3 })]
      const alone = await Promise.all(
        rows.map(async (row) => (await model.forward([row], { entropy: true }))[0]!),
      )
      for (let trial = 0; trial < 200; trial++) {
        const picked = Array.from({ length: 1 + random(12) }, () => random(rows.length))
        const options = { entropy: true, sharePrefixes: random(3) > 0 }
        const outputs = await models[trial % 2]!.forward(
          picked.map((index) => rows[index]!),
          options,
        )
        expect(outputs).toEqual(picked.map((index) => alone[index]))
      }
    },
  )

  it('forwardBackward sees the same bits as forward, with a full model and with an adapter', async () => {
    const base = await tinyModel('qwen2-qkv-bias', 'bf16')
    const random = createRandom(7)
    const examples = Array.from({ length: 6 }, () => ({
      sequences: [sequenceOf(randomTokens(random, 3 + random(90)))],
    }))
    for (const method of [{ full: true } as const, { lora: { rank: 4, alpha: 8 } }]) {
      const model = await base.trainable(method)
      await trainSteps(model, 2)
      const forward = await model.forward(examples.map(({ sequences }) => sequences[0]!))
      const seen: Float32Array[] = []
      const loss: typeof probeLoss = (example, outputs) => {
        seen.push(outputs[0]!.logprobs)
        return probeLoss(example, outputs)
      }
      for (const recompute of [false, true]) {
        seen.length = 0
        await model.forwardBackward(examples, loss, { recompute })
        expect(seen).toEqual(forward.map(({ logprobs }) => logprobs))
      }
      await compareCrowd(model, 21, 8)
    }
  })

  it('adapters of one base are sampled together without touching each other', async () => {
    const base = await tinyModel('llama-gqa-tied', 'bf16')
    const models = [
      base,
      await base.trainable({ lora: { rank: 2, seed: 1 } }),
      await base.trainable({ lora: { rank: 3, seed: 2 } }),
    ]
    for (const [index, model] of models.entries())
      if (index > 0) await trainSteps(model as TrainableModel, index)
    const requests = requestsOf(9, 9)
    const together = await Promise.all(requests.map((request, index) => models[index % 3]!.sample(request)))
    for (const [index, request] of requests.entries())
      expect(await models[index % 3]!.sample(request)).toEqual(together[index])
    const [one, two] = await Promise.all(
      models.slice(1).map((model) => model.forward([sequenceOf([1, 2, 3, 4, 5])])),
    )
    expect(one).not.toEqual(two)
  })
})

async function trainSteps(model: TrainableModel, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    await model.forwardBackward(
      [{ sequences: [sequenceOf(randomTokens(createRandom(step), 30))] }],
      probeLoss,
    )
    await model.optimStep({ learningRate: 0.01 })
  }
}
