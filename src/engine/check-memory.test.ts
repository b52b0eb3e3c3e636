import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it, vi } from 'vitest'
import { checkTrainingFits, checkWeightsFit } from './check-memory.ts'
import { loadModel } from './index.ts'

afterEach(() => vi.restoreAllMocks())
const withMemory = (bytes: number) => vi.spyOn(process, 'constrainedMemory').mockReturnValue(bytes)

it('full training that cannot fit is refused with what it needs, what there is, and the way out', () => {
  withMemory(2.1e9)
  expect(() => checkTrainingFits(135e6)).toThrow(/135 million.* 2\.2 GB.* 2\.1 GB.*lora/s)
  expect(() => checkTrainingFits(130e6)).not.toThrow()
})

it('weights larger than memory are refused, in a file and in a folder, and other files are not counted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'whetstone-memory-'))
  const shard = (n: number) => join(folder, `model-0000${n}-of-00002.safetensors`)
  try {
    for (const n of [1, 2]) await writeFile(shard(n), 'x'.repeat(60))
    await writeFile(join(folder, 'adapter_model.safetensors'), 'x'.repeat(1000))
    withMemory(100)
    await expect(checkWeightsFit(folder, 'f32')).rejects.toThrow(/this machine has .* of memory/)
    await expect(checkWeightsFit(folder, 'bf16')).resolves.toBeUndefined()
    await expect(checkWeightsFit(shard(1), 'f32')).resolves.toBeUndefined()
    withMemory(50)
    await expect(checkWeightsFit(shard(1), 'f32')).rejects.toThrow('load a smaller model')
  } finally {
    await rm(folder, { recursive: true })
  }
})

it('a model is asked whether it fits where it is opened and where it is to be trained', async () => {
  const path = fileURLToPath(new URL('../../tests/goldens/models/llama-gqa-tied', import.meta.url))
  const model = await loadModel(path)
  withMemory(1)
  await expect(model.trainable({ full: true })).rejects.toThrow('trainable: weights, gradients')
  await expect(loadModel(path)).rejects.toThrow('its weights take')
})
