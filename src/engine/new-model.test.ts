import { describe, expect, it } from 'vitest'
import { loadTokenizer } from '../text/index.ts'
import { newModel } from './new-model.ts'
import { probeLoss, sequenceOf, tinyTokenizer } from './testing/tiny-model.ts'

const config = {
  model_type: 'llama',
  vocab_size: 260,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 128,
}
const tied = { ...config, tie_word_embeddings: true }
const make = async (fields: object, options: object = {}) =>
  newModel(fields as Record<string, unknown>, await tinyTokenizer(), {
    precision: 'f32',
    threads: 2,
    ...options,
  })

describe('newModel', () => {
  it('draws the same weights from the same seed, and others from another', async () => {
    const weightsOf = async (seed: number, threads: number) => {
      const model = await make(config, { seed, threads })
      const names = await model.parameterNames()
      return Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, await model.parameter(name)])),
      )
    }
    const first = await weightsOf(7, 1)
    expect(await weightsOf(7, 2)).toEqual(first)
    const other = await weightsOf(8, 1)
    const drawn = Object.keys(first).filter((name) => !name.includes('norm'))
    expect(drawn).toHaveLength(16)
    for (const name of drawn) expect(other[name], name).not.toEqual(first[name])
  })

  it('has the shapes of its configuration, with a head of its own or the embedding', async () => {
    const layer = 32 * (32 + 16 + 16) + 32 * 32 + 3 * 32 * 48 + 2 * 32
    const apart = await make(config)
    const shared = await make(tied)
    expect(shared.info.parameters).toBe(260 * 32 + 2 * layer + 32)
    expect(apart.info.parameters).toBe(shared.info.parameters + 260 * 32)
    expect(await apart.parameterNames()).toContain('lm_head.weight')
    expect(await shared.parameterNames()).not.toContain('lm_head.weight')
    expect((await shared.parameter('model.layers.1.mlp.down_proj.weight')).length).toBe(32 * 48)
    expect(shared.info).toMatchObject({
      architecture: 'llama',
      vocabularySize: 260,
      context: 128,
      layers: 2,
      hiddenSize: 32,
      precision: 'f32',
      trainedParameters: 0,
    })
  })

  it('begins near the uniform distribution and can be trained and sampled', async () => {
    const model = await (await make(tied)).trainable({ full: true })
    const row = sequenceOf([1, 2, 3, 4, 5])
    const [output] = await model.forward([row])
    for (const logprob of output!.logprobs) expect(Math.abs(logprob + Math.log(260))).toBeLessThan(1)
    await model.forwardBackward([{ sequences: [row] }], probeLoss)
    expect((await model.optimStep({ learningRate: 0.01 })).gradientNorm).toBeGreaterThan(0)
    expect(await model.sample({ prompt: [1], maxTokens: 3, stopTokens: [] })).toHaveLength(1)
  })

  it.each<[object, string]>([
    [{ model_type: 'gpt2' }, "model_type 'gpt2' is not supported"],
    [{ model_type: undefined }, 'model_type is missing'],
    [{ vocab_size: 0 }, 'vocab_size is 0'],
    [{ vocab_size: 200 }, 'vocab_size is 200, but the tokenizer has 257 tokens'],
    [{ vocab_size: '260' }, 'vocab_size is "260"'],
    [{ hidden_size: 33 }, 'hidden_size (33) is no multiple of num_attention_heads (4)'],
    [{ intermediate_size: -1 }, 'intermediate_size is -1'],
    [{ num_hidden_layers: 1.5 }, 'num_hidden_layers is 1.5'],
    [{ num_key_value_heads: 3 }, 'must be a multiple of num_key_value_heads (3)'],
    [{ max_position_embeddings: undefined }, 'max_position_embeddings is missing'],
    [{ rms_norm_eps: -1 }, 'rms_norm_eps is -1'],
    [{ rope_theta: 0 }, 'rope_theta is 0'],
    [{ hidden_act: 'gelu' }, "hidden_act is 'gelu'"],
    [{ tie_word_embeddings: 'yes' }, 'tie_word_embeddings is "yes"'],
    [{ eos_token_id: 260 }, 'eos_token_id 260 is outside vocab_size 260'],
    [{ hidden_size: 2 ** 16, vocab_size: 2 ** 24 }, 'weights of these sizes take at least 4398.1 GB'],
  ])('refuses %o by the name of its field', async (fields, message) => {
    const refused = make({ ...config, ...fields })
    await expect(refused).rejects.toThrow(message)
    await expect(refused).rejects.toMatchObject({ name: 'EngineError' })
  })

  it('refuses what is no configuration, tokenizer or option', async () => {
    for (const nothing of [undefined, null, [], 'llama'])
      await expect(newModel(nothing as never, await tinyTokenizer())).rejects.toThrow('the configuration is')
    await expect(make({ ...config, extra: 1n })).rejects.toThrow('cannot be written as JSON')
    await expect(newModel(config, undefined as never)).rejects.toThrow(
      'the tokenizer is undefined; make one with',
    )
    for (const [options, message] of [
      [{ seed: -1 }, 'newModel: seed is -1'],
      [{ seed: 0.5 }, 'newModel: seed is 0.5'],
      [{ precision: 'f16' }, "newModel: precision is 'f16'"],
      [{ threads: 0 }, 'newModel: threads is 0; it must be an integer from 1 to 1024'],
      [{ kvBytes: Number.NaN }, 'newModel: kvBytes is NaN'],
      [{ kvbytes: 1 }, "newModel: no setting is named 'kvbytes'"],
    ] as const)
      await expect(make(config, options)).rejects.toThrow(message)
  })

  it('takes a tokenizer with fewer tokens than the vocabulary', async () => {
    const json = (await tinyTokenizer()).toJson()
    const model = await newModel({ ...tied, vocab_size: 320 }, loadTokenizer({ tokenizerJson: json }))
    expect(model.info).toMatchObject({ vocabularySize: 320, precision: 'bf16' })
  })
})
