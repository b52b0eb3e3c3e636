import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LoadOptions, loadModel } from './load-model.ts'
import type { Model, TrainableModel, TrainingMethod } from './model.ts'
import { newModel } from './new-model.ts'
import { createRandom, probeLoss, randomTokens, sequenceOf, tinyTokenizer } from './testing/tiny-model.ts'

const golden = (name: string) => fileURLToPath(new URL(`../../tests/goldens/models/${name}`, import.meta.url))
const tiny = golden('llama-gqa-tied')
const options = { precision: 'bf16', threads: 2 } as const
const row = [sequenceOf(randomTokens(createRandom(6), 40))]

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-adapter-'))
})
afterAll(() => rm(directory, { recursive: true }))

/** Two steps of training, so that every weight of an adapter has moved. */
async function trained(base: Model, method: TrainingMethod, head?: 'value'): Promise<TrainableModel> {
  const model = await base.trainable(method, head)
  const { vocabularySize } = base.info
  for (const seed of [1, 2]) {
    const tokens = randomTokens(createRandom(seed), 20).map((token) => token % vocabularySize)
    const sequences = [sequenceOf(tokens)]
    await model.forwardBackward([{ sequences }], probeLoss, head && { values: true })
    await model.optimStep({ learningRate: 0.01 })
  }
  return model
}

/** An adapter on the tiny model, in a folder of this name. */
async function savedAdapter(name: string): Promise<{ folder: string; model: TrainableModel }> {
  const model = await trained(await loadModel(tiny, options), { lora: { rank: 2, alpha: 3 } })
  const folder = join(directory, name)
  await model.saveWeights(folder)
  return { folder, model }
}

const fileOf = (folder: string) => join(folder, 'adapter_config.json')
const configOf = async (folder: string) => JSON.parse(await readFile(fileOf(folder), 'utf8'))
const edit = async (folder: string, fields: object) =>
  writeFile(fileOf(folder), JSON.stringify({ ...(await configOf(folder)), ...fields }))
const baseOf = async (folder: string) => (await configOf(folder)).base_model_name_or_path

/** A cache that has the tiny model under a hub name, so that nothing is asked of the network. */
async function cacheWith(repository: string): Promise<NodeJS.ProcessEnv> {
  const cache = join(directory, 'cache')
  const folder = join(cache, 'models', 'hub', repository.replaceAll('/', '--'))
  await cp(tiny, folder, { recursive: true })
  await writeFile(join(folder, '.complete.json'), '{"config.json": "", "model.safetensors": ""}')
  return { WHETSTONE_CACHE: cache, HF_ENDPOINT: 'http://127.0.0.1:1' }
}

describe("an adapter's folder", () => {
  it.each([
    ['llama-gqa-tied', 'f32', undefined],
    ['qwen2-qkv-bias', 'bf16', undefined],
    ['llama-mha-untied', 'bf16', ['down_proj', 'q_proj']],
  ] as const)(
    'opens as the trained model, bit for bit: %s in %s, modules %o',
    async (name, precision, targetModules) => {
      const base = await loadModel(golden(name), { precision, threads: 2 })
      const model = await trained(base, {
        lora: { rank: 3, alpha: 5, ...(targetModules && { targetModules }) },
      })
      const folder = join(directory, name)
      await model.saveWeights(folder)
      const again = await loadModel(folder, { precision, threads: 2 })
      const ask = { entropy: true, temperature: 0.7 }
      expect(await again.forward(row, ask)).toEqual(await model.forward(row, ask))
      expect(await again.forward(row, ask)).not.toEqual(await base.forward(row, ask))
      const request = { prompt: [1, 2, 3], n: 3, maxTokens: 12, seed: 4, stopTokens: [] }
      expect(await again.sample(request)).toEqual(await model.sample(request))
      expect(again.info.parameters).toBe(model.info.parameters)
      expect(again.info.trainedParameters).toBe(0)
    },
  )

  it('opens with the scalar head that was trained beside the adapter', async () => {
    const model = await trained(await loadModel(tiny, options), { lora: { rank: 2 } }, 'value')
    const folder = join(directory, 'critic')
    await model.saveWeights(folder)
    const again = await loadModel(folder, options)
    expect(await again.forward(row, { values: true })).toEqual(await model.forward(row, { values: true }))
  })

  it('opens with its own tokenizer, or else with that of its base', async () => {
    const base = join(directory, 'talking')
    await cp(tiny, base, { recursive: true })
    const silent = await trained(await loadModel(base, options), { lora: { rank: 2 } })
    const without = join(directory, 'without-tokenizer')
    await silent.saveWeights(without)
    const { tokenizer } = await loadModel(without, options)
    expect(() => tokenizer.encode('a')).toThrow('has no tokenizer')
    const { saveTokenizerFolder } = await import('../text/index.ts')
    await saveTokenizerFolder(await tinyTokenizer(), base)
    expect((await loadModel(without, options)).tokenizer.encode('a')).toHaveLength(1)
    const own = join(directory, 'own-tokenizer')
    await (await (await loadModel(base, options)).trainable({ lora: { rank: 2 } })).saveWeights(own)
    expect((await loadModel(own, { ...options, base: tiny })).tokenizer.encode('a')).toHaveLength(1)
  })

  it('is written again as it was', async () => {
    const { folder, model } = await savedAdapter('first')
    const copy = join(directory, 'second')
    await (await loadModel(folder, options)).saveWeights(copy)
    const { target_modules: modules, ...config } = await configOf(folder)
    const { target_modules: modulesAgain, ...configAgain } = await configOf(copy)
    expect(configAgain).toEqual(config)
    expect(modulesAgain.sort()).toEqual(modules.sort())
    const again = await loadModel(copy, options)
    for (const name of await model.parameterNames())
      expect(await again.parameter(name), name).toEqual(await model.parameter(name))
  })

  it('is trained by merging it, or by its base, and takes no second adapter', async () => {
    const { folder, model } = await savedAdapter('merged')
    const again = await loadModel(folder, { ...options, precision: 'f32' })
    await expect(again.trainable({ lora: { rank: 2 } })).rejects.toThrow(
      /has an adapter, and only one can be held.*loadAdapter\(folder\).*trainable\(\{ full: true \}\)/,
    )
    const merged = await again.trainable({ full: true })
    const [got] = await merged.forward(row)
    const [want] = await again.forward(row)
    for (const [i, value] of want!.logprobs.entries()) expect(got!.logprobs[i]).toBeCloseTo(value, 4)
    const further = await (await loadModel(tiny, options)).trainable({ lora: { rank: 2, alpha: 3 } })
    await further.loadAdapter(folder)
    expect(await further.forward(row)).toEqual(await model.forward(row))
  })
})

describe("an adapter's base", () => {
  it('is named by the absolute path of a folder or file', async () => {
    const here = relative(process.cwd(), tiny)
    const model = await (await loadModel(here, options)).trainable({ lora: { rank: 2 } })
    const folder = join(directory, 'by-path')
    await model.saveWeights(folder)
    expect(await baseOf(folder)).toBe(tiny)
    const gguf = fileURLToPath(new URL('../../crates/engine/tests/fixtures/tiny-llama.gguf', import.meta.url))
    const ofFile = await trained(await loadModel(gguf, options), { lora: { rank: 2 } })
    await (await ofFile.snapshot()).saveWeights(join(directory, 'by-file'))
    expect(await baseOf(join(directory, 'by-file'))).toBe(gguf)
    const again = await loadModel(join(directory, 'by-file'), options)
    const short = [sequenceOf([1, 2, 3, 4])]
    expect(await again.forward(short)).toEqual(await ofFile.forward(short))
  })

  it.each([
    ['smollm2-135m', 'HuggingFaceTB/SmolLM2-135M-Instruct@main', 'HuggingFaceTB/SmolLM2-135M-Instruct'],
    ['hf:lab/tiny', 'lab/tiny@main', 'lab/tiny'],
    ['hf:lab/tiny@v2', 'lab/tiny@v2', 'hf:lab/tiny@v2'],
  ])(
    'loaded by the name %s is recorded so that the same weights are found again',
    async (name, repository, written) => {
      const environment = await cacheWith(repository)
      const model = await trained(await loadModel(name, { ...options, environment }), { lora: { rank: 2 } })
      const folder = join(directory, `of-${written.replaceAll(/\W/g, '-')}`)
      await model.saveWeights(folder)
      expect(await baseOf(folder)).toBe(written)
      const again = await loadModel(folder, { ...options, environment })
      expect(await again.forward(row)).toEqual(await model.forward(row))
    },
  )

  it('is looked for from the folder where the path is relative, and on the hub by the revision given', async () => {
    const { folder, model } = await savedAdapter('moved')
    await mkdir(join(directory, 'lab'), { recursive: true })
    await cp(tiny, join(directory, 'lab', 'base'), { recursive: true })
    await edit(folder, { base_model_name_or_path: '../lab/base' })
    expect(await (await loadModel(folder, options)).forward(row)).toEqual(await model.forward(row))
    const environment = await cacheWith('lab/tiny@v3')
    await edit(folder, { base_model_name_or_path: 'lab/tiny', revision: 'v3' })
    const again = await loadModel(folder, { ...options, environment })
    expect(await again.forward(row)).toEqual(await model.forward(row))
  })

  it('is not named where it was made or trained, and has to be given then', async () => {
    const config = JSON.parse(await readFile(join(tiny, 'config.json'), 'utf8'))
    const made = await newModel(config, await tinyTokenizer(), options)
    const tuned = await (await trained(await loadModel(tiny, options), { full: true })).snapshot()
    for (const [name, base] of Object.entries({ made, tuned })) {
      const model = await trained(base, { lora: { rank: 2 } })
      const folder = join(directory, name)
      await model.saveWeights(folder)
      expect(await baseOf(folder)).toBe('')
      await expect(loadModel(folder, options)).rejects.toThrow(
        /adapter_config\.json: base_model_name_or_path is empty, so .*base: 'smollm2-135m'.*--base/,
      )
      await base.saveWeights(`${folder}-base`)
      const again = await loadModel(folder, { ...options, base: `${folder}-base` })
      expect(await again.forward(row)).toEqual(await model.forward(row))
    }
  })

  it('that is given goes before the one that is named', async () => {
    const { folder, model } = await savedAdapter('overridden')
    await edit(folder, { base_model_name_or_path: '/gone/base' })
    await expect(loadModel(folder, options)).rejects.toThrow(
      /adapter_config\.json: base_model_name_or_path is "\/gone\/base": there is no model .*--base/,
    )
    const again = await loadModel(folder, { ...options, base: tiny })
    expect(await again.forward(row)).toEqual(await model.forward(row))
  })

  it('has to fit, be no adapter, and go with an adapter', async () => {
    const { folder } = await savedAdapter('fitting')
    const load = (name: string, base: unknown) => loadModel(name, { ...options, base } as LoadOptions)
    await expect(load(folder, golden('llama-mha-untied'))).rejects.toThrow(
      /adapter_model\.safetensors: .*(has shape .*must be|has no tensor|which this model's adapter lacks)/,
    )
    await expect(load(folder, folder)).rejects.toThrow(/its base .* is an adapter itself/)
    await expect(load(tiny, tiny)).rejects.toThrow(
      /is a whole model, not an adapter's folder.*leave the base/,
    )
    await expect(load(folder, '')).rejects.toThrow("loadModel: base is ''; it must be text")
    await expect(load(folder, 3)).rejects.toThrow('loadModel: base is 3; it must be text')
    await expect(load(folder, 'nonesuch')).rejects.toThrow('there is no model "nonesuch"')
  })
})

describe('an adapter that cannot be used is refused by file and field', () => {
  it.each<[object, RegExp]>([
    [{ peft_type: 'IA3' }, /adapter_config\.json: peft_type is "IA3"; only LORA/],
    [{ peft_type: null }, /adapter_config\.json: peft_type is missing/],
    [{ use_dora: true }, /adapter_config\.json: use_dora is true/],
    [{ use_rslora: 'yes' }, /adapter_config\.json: use_rslora is "yes"; it must be true or false/],
    [{ init_lora_weights: 'pissa_niter_4' }, /adapter_config\.json: init_lora_weights is 'pissa_niter_4'/],
    [{ r: 3 }, /adapter_model\.safetensors: tensor '.*' has shape .*, which does not fit rank 3/],
    [{ r: '2' }, /adapter_config\.json: r is "2"/],
    [{ lora_alpha: 0 }, /adapter_config\.json: lora_alpha is 0/],
    [
      { base_model_name_or_path: 7 },
      /adapter_config\.json: base_model_name_or_path is 7; it must be a string/,
    ],
    [{ base_model_name_or_path: 'x/y/z' }, /adapter_config\.json: base_model_name_or_path is "x\/y\/z"/],
    [
      { target_modules: ['q_proj', 'lm_head'] },
      /adapter_model\.safetensors: has no tensor of 'lm_head', which target_modules of adapter_config\.json/,
    ],
  ])('%o', async (fields, message) => {
    const { folder } = await savedAdapter('edited')
    await edit(folder, fields)
    await expect(loadModel(folder, options)).rejects.toThrow(message)
  })

  it('files that are missing or damaged', async () => {
    const { folder } = await savedAdapter('damaged')
    const weights = join(folder, 'adapter_model.safetensors')
    const bytes = await readFile(weights)
    await writeFile(weights, bytes.subarray(0, bytes.length - 8))
    await expect(loadModel(folder, options)).rejects.toThrow('adapter_model.safetensors')
    await writeFile(
      weights,
      Buffer.from(bytes).fill('lora_X', bytes.indexOf('lora_A'), bytes.indexOf('lora_A') + 6),
    )
    await expect(loadModel(folder, options)).rejects.toThrow(/adapter_model\.safetensors: tensor '.*lora_X/)
    await rm(weights)
    await expect(loadModel(folder, options)).rejects.toThrow(/adapter_model\.safetensors: is missing/)
    await writeFile(fileOf(folder), '{"peft_type": ')
    await expect(loadModel(folder, options)).rejects.toThrow(/adapter_config\.json: not valid JSON/)
    await writeFile(fileOf(folder), '[]')
    await expect(loadModel(folder, options)).rejects.toThrow(/adapter_config\.json: the file must be a JSON/)
  })
})
