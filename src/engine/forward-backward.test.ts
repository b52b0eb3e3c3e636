import { beforeEach, describe, expect, it } from 'vitest'
import type { TrainableModel } from './model.ts'
import { createRandom, probeLoss, randomTokens, sequenceOf, tinyModel } from './testing/tiny-model.ts'

const good = { sequences: [sequenceOf([1, 2, 3, 4])] }
const ids = (...tokens: number[]) => Int32Array.from(tokens)
const example = (sequence: object) => ({ sequences: [sequence] })
const WEIGHT = 'model.norm.weight'

let model: TrainableModel
let gathered: Float32Array
beforeEach(async () => {
  model = await (await tinyModel('llama-gqa-tied', 'f32', { activationBytes: 400_000 })).trainable({
    full: true,
  })
  await model.forwardBackward([good], probeLoss)
  gathered = await model.gradient(WEIGHT)
})

describe('forwardBackward given what is wrong', () => {
  const pair = { input: ids(1, 2, 3), target: ids(2, 3, 4) }
  const cases: [string, unknown[], string][] = [
    ['no array of examples', [undefined, probeLoss], 'examples is undefined; it must be an array'],
    ['no loss', [[good]], 'the loss is undefined; it must be a function'],
    ['an example that is none', [[good, undefined], probeLoss], 'example 1: sequences is undefined'],
    ['an example without sequences', [[good, { sequences: [] }], probeLoss], 'example 1 has no sequences'],
    ['a hole', [new Array(1), probeLoss], 'example 0: sequences is undefined'],
    [
      'plain arrays',
      [[example({ input: [1], target: [2] })], probeLoss],
      'example 0: sequence 0: input is [ 1 ]; it must be an Int32Array',
    ],
    ['no target', [[example({ input: ids(1) })], probeLoss], 'target is undefined; it must be an Int32Array'],
    [
      'an empty sequence',
      [[good, example({ input: ids(), target: ids() })], probeLoss],
      'example 1: sequence 0 has no tokens',
    ],
    [
      'unequal lengths',
      [[example({ ...pair, target: ids(1) })], probeLoss],
      'has 3 input and 1 target tokens',
    ],
    [
      'a token too many for the vocabulary',
      [[good, example({ ...pair, input: ids(1, 257, 2) })], probeLoss],
      'example 1: sequence 0, input[1] is token 257',
    ],
    [
      'a target below -1',
      [[example({ ...pair, target: ids(1, 2, -2) })], probeLoss],
      'target[2] is token -2',
    ],
    [
      'a row beyond the context',
      [[example({ input: new Int32Array(513), target: new Int32Array(513) })], probeLoss],
      "has 513 tokens; the model's context is 512",
    ],
    [
      'an attention that there is not',
      [[example({ ...pair, attention: 'full' })], probeLoss],
      "attention is 'full'; it must be 'causal', 'bidirectional' or { prefix",
    ],
    [
      'half a prefix',
      [[example({ ...pair, attention: { prefix: 1.5 } })], probeLoss],
      'attention is { prefix: 1.5 }',
    ],
    [
      'a temperature near 0',
      [[good], probeLoss, { temperature: 1e-9 }],
      'temperature is 1e-9; it must be a number at least 0.000001',
    ],
    ['a misspelt option', [[good], probeLoss, { entropies: true }], "no setting is named 'entropies'"],
    [
      'an option in text',
      [[good], probeLoss, { values: 'yes' }],
      "values is 'yes'; it must be true or false",
    ],
    ['values without a head', [[good], probeLoss, { values: true }], 'without a value head'],
  ]
  it.each(cases)('%s says so and keeps the gradients gathered before', async (_, given, message) => {
    await expect(model.forwardBackward(...(given as [never, never, never]))).rejects.toThrow(message)
    expect(await model.gradient(WEIGHT)).toEqual(gathered)
    await model.optimStep({ learningRate: 0.01 })
  })

  it('in a later micro-batch runs none before it', async () => {
    const random = createRandom(3)
    const many = Array.from({ length: 12 }, () => ({ sequences: [sequenceOf(randomTokens(random, 60))] }))
    expect((await model.forwardBackward(many, probeLoss)).microBatches).toBeGreaterThan(1)
    const before = await model.gradient(WEIGHT)
    const bad = example({ ...pair, input: ids(1, 2, 300) }) as typeof good
    let calls = 0
    const counting: typeof probeLoss = (...given) => {
      calls++
      return probeLoss(...given)
    }
    await expect(model.forwardBackward([...many, bad], counting)).rejects.toThrow('example 12')
    expect(calls).toBe(0)
    expect(await model.gradient(WEIGHT)).toEqual(before)
  })
})

describe('forwardBackward with a loss that fails', () => {
  const result = (output: { logprobs: Float32Array }) => ({
    loss: 0,
    gradients: [{ logprobs: new Float32Array(output.logprobs.length) }],
    metrics: {},
  })
  it.each<[string, (output: { logprobs: Float32Array }) => unknown, string]>([
    [
      'by throwing',
      () => {
        throw new Error('ouch')
      },
      'ouch',
    ],
    ['by a promise', async (output) => result(output), 'the loss gave Promise'],
    ['by nothing', () => undefined, 'the loss gave undefined; it must give { loss, gradients, metrics }'],
    ['by no metrics', (output) => ({ ...result(output), metrics: undefined }), 'it must give { loss'],
    ['by NaN', (output) => ({ ...result(output), loss: Number.NaN }), 'the loss of an example is NaN'],
    [
      'by too few gradients',
      (output) => ({ ...result(output), gradients: [] }),
      '0 gradients for 1 sequences',
    ],
    [
      'by a short gradient',
      (output) => ({ ...result(output), gradients: [{ logprobs: new Float32Array(1) }] }),
      '1 gradients of logprobs for sequence 0 of 3 tokens',
    ],
    [
      'by a gradient of no numbers',
      (output) => ({ ...result(output), gradients: [{ logprobs: 1 }] }),
      'gave 1 as the gradients of logprobs',
    ],
    [
      'by a gradient beyond f32',
      (output) => ({ ...result(output), gradients: [{ logprobs: new Float64Array(3).fill(1e39) }] }),
      '1e+39 as the gradient of logprobs[0]',
    ],
  ])('%s clears the gradients, so that no half batch is applied', async (_, loss, message) => {
    await expect(model.forwardBackward([good], (_, [output]) => loss(output!) as never)).rejects.toThrow(
      message,
    )
    await model.forwardBackward([good], probeLoss)
    expect(await model.gradient(WEIGHT)).toEqual(gathered)
  })
})

describe('attention', () => {
  it('of a prefix as long as the sequence, or of any number of tokens beyond, is bidirectional', async () => {
    const row = sequenceOf([1, 2, 3, 4, 5, 6])
    const scored = async (attention: 'bidirectional' | 'causal' | { prefix: number }) =>
      (await model.forward([{ ...row, attention }]))[0]!.logprobs
    const whole = await scored('bidirectional')
    for (const prefix of [5, 6, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 33])
      expect(await scored({ prefix })).toEqual(whole)
    expect(await scored({ prefix: 0 })).toEqual(await scored('causal'))
    expect(await scored({ prefix: 3 })).not.toEqual(whole)
  })
})

describe('temperature', () => {
  it('at its least leaves finite numbers and gradients', async () => {
    const options = { temperature: 1e-6, entropy: true }
    const [output] = await model.forward(good.sequences, options)
    expect([...output!.logprobs, ...output!.entropy!].every(Number.isFinite)).toBe(true)
    await model.forwardBackward([good], probeLoss, options)
    expect(Number.isFinite((await model.optimStep({ learningRate: 0.01 })).gradientNorm)).toBe(true)
  })
})
