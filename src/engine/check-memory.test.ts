import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { checkTrainingFits, checkWeightsFit } from './check-memory.ts'

afterEach(() => vi.restoreAllMocks())
const withMemory = (bytes: number) => vi.spyOn(process, 'availableMemory').mockReturnValue(bytes)

it('full training that cannot fit is refused with what it needs, what there is, and the way out', () => {
  withMemory(2.1e9)
  expect(() => checkTrainingFits(135e6)).toThrow(/135 million.* 2\.2 GB .* 2\.1 GB .*lora/s)
  expect(() => checkTrainingFits(130e6)).not.toThrow()
})

it('weights larger than memory are refused before they are read, in a file and in a folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'whetstone-memory-'))
  try {
    for (const name of ['a.safetensors', 'b.safetensors']) await writeFile(join(folder, name), 'x'.repeat(60))
    await writeFile(join(folder, 'other.bin'), 'x'.repeat(1000))
    withMemory(100)
    await expect(checkWeightsFit(folder)).rejects.toThrow(/only .* of memory are available/)
    await expect(checkWeightsFit(join(folder, 'a.safetensors'))).resolves.toBeUndefined()
    withMemory(120)
    await expect(checkWeightsFit(folder)).resolves.toBeUndefined()
  } finally {
    await rm(folder, { recursive: true })
  }
})
