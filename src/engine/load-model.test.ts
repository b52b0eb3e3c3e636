import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel } from './load-model.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const golden = join(repository, 'tests/goldens/models/llama-gqa-tied')

let directory: string
let gguf: Buffer
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-load-'))
  gguf = await readFile(join(repository, 'crates/engine/tests/fixtures/tiny-llama.gguf'))
})
afterAll(() => rm(directory, { recursive: true }))

/** The fixture with one text of its header written over by one as long. */
async function altered(name: string, from: string, to: string): Promise<string> {
  const at = gguf.indexOf(from)
  expect(at).toBeGreaterThan(0)
  const bytes = Buffer.from(gguf)
  bytes.write(to, at)
  const path = join(directory, `${name}.gguf`)
  await writeFile(path, bytes)
  return path
}

describe('loadModel', () => {
  it('opens a checkpoint without a tokenizer for token ids alone, and writes it again', async () => {
    const model = await loadModel(golden, { threads: 2 })
    expect((await model.sample({ prompt: [1, 2], maxTokens: 4 }))[0]).toMatchObject({ text: '' })
    expect(() => model.tokenizer.encode('a')).toThrow(
      `${golden} has no tokenizer.json, so it can be used with token ids only; put that file of the model there`,
    )
    const copy = join(directory, 'copy')
    await model.saveWeights(copy)
    expect((await loadModel(copy, { threads: 2 })).info.parameters).toBe(model.info.parameters)
  })

  it('opens a GGUF file with its tokenizer', async () => {
    const model = await loadModel(join(repository, 'crates/engine/tests/fixtures/tiny-llama.gguf'), {
      threads: 2,
    })
    expect(model.tokenizer.vocabularySize).toBeGreaterThan(0)
    const [sample] = await model.sample({ prompt: [1], maxTokens: 6, stopTokens: [] })
    expect(sample!.text).toBe(model.tokenizer.decode(sample!.tokens, { skipSpecial: true }))
  })

  it('refuses a GGUF file with a tokenizer of another kind, by its name and with what to do', async () => {
    const path = await altered('other', '\u0004\0\0\0\0\0\0\0gpt2', '\u0004\0\0\0\0\0\0\0bert')
    await expect(loadModel(path)).rejects.toThrow(
      /other\.gguf: tokenizer\.ggml\.model is 'bert'; only 'gpt2' .*use the folder of the model's original checkpoint/,
    )
  })

  it('refuses a damaged GGUF file, by its name', async () => {
    const path = join(directory, 'short.gguf')
    await writeFile(path, gguf.subarray(0, 200))
    await expect(loadModel(path)).rejects.toThrow('short.gguf')
    await writeFile(path, 'text')
    await expect(loadModel(path)).rejects.toThrow('short.gguf')
  })

  it('refuses a checkpoint whose configuration or weights are not what they should be, by file', async () => {
    const broken = join(directory, 'broken')
    await cp(golden, broken, { recursive: true })
    await writeFile(join(broken, 'config.json'), '{"model_type": ')
    await expect(loadModel(broken)).rejects.toThrow(/config\.json/)
    await cp(join(golden, 'config.json'), join(broken, 'config.json'))
    await writeFile(join(broken, 'tokenizer.json'), '{}')
    await expect(loadModel(broken)).rejects.toThrow(/broken: .*tokenizer\.json/)
    await rm(join(broken, 'model.safetensors'))
    await expect(loadModel(broken)).rejects.toThrow(/safetensors/)
  })

  it.each<[unknown, object | undefined, string]>([
    [undefined, {}, 'loadModel: the name is undefined; it must be text'],
    [3, {}, 'loadModel: the name is 3'],
    ['', {}, "loadModel: the name is ''"],
    [golden, { precision: 'int8' }, "loadModel: precision is 'int8'; it must be 'f32' or 'bf16'"],
    [golden, { onProgress: 3 }, 'loadModel: onProgress is 3; it must be a function'],
    [golden, { signal: {} }, 'loadModel: signal is {}; it must be an AbortSignal'],
    [golden, { signal: AbortSignal.abort() }, 'aborted'],
    [golden, { thread: 2 }, "loadModel: no setting is named 'thread'; there are precision,"],
    [golden, { threads: 1e9 }, 'loadModel: threads is 1000000000'],
    [golden, null as never, 'loadModel: the settings are null; they must be an object'],
  ])('refuses the name %o with options %o', async (name, options, message) => {
    await expect(loadModel(name as string, options)).rejects.toThrow(message)
  })
})
