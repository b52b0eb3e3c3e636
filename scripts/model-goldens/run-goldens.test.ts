import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Example, Loss } from '../../src/engine/contract.ts'
import type { LoadGoldenModel } from './golden-model.ts'
import { readSafetensors } from './read-safetensors.ts'
import { runGoldens } from './run-goldens.ts'

const golden = new URL('../../tests/goldens/models/llama-gqa-tied', import.meta.url).pathname

let directory: string
let lines: string[]
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-goldens-'))
  lines = []
})
afterEach(() => rm(directory, { recursive: true }))
const run = (load: LoadGoldenModel, folder = directory) =>
  runGoldens(folder, load, (line) => lines.push(line))

/** A model that knows the expected values, apart from what `spoil` changes. */
function knowing(
  spoil: (name: string, data: Float32Array) => Float32Array = (_, data) => data,
): LoadGoldenModel {
  return async (path) => {
    const tensors = readSafetensors(join(path, 'expected.safetensors'))
    const get = (name: string) => spoil(name, Float32Array.from(tensors.get(name)?.data ?? []))
    let weighted: number | undefined
    return {
      get tokenizer(): never {
        throw new Error('a model golden has no tokenizer')
      },
      forward: async (sequences) =>
        sequences.map((_, row) => ({
          logprobs: get(`sequence.${row}.logprobs`),
          entropy: get(`sequence.${row}.entropy`),
        })),
      sample: async () => [],
      trainable: async () => ({
        async forwardBackward<E extends Example>(examples: E[], loss: Loss<E>) {
          weighted = examples
            .map((example, row) => loss(example, [{ logprobs: get(`sequence.${row}.logprobs`) }]).loss)
            .reduce((a, b) => a + b, 0)
        },
        gradient: async (name) =>
          Math.abs((weighted ?? 0) - 2.692246437072754) < 1e-3 ? get(`grad.${name}`) : new Float32Array(),
      }),
    }
  }
}

describe('model goldens', () => {
  it('pass where every number is as expected, whether the folder is the model, holds it, or holds models/', async () => {
    expect(await run(knowing(), golden)).toBe(true)
    await cp(golden, join(directory, 'one'), { recursive: true })
    expect(await run(knowing())).toBe(true)
    await cp(golden, join(directory, 'models', 'two'), { recursive: true })
    expect(await run(knowing())).toBe(true)
    expect(lines.filter((line) => line.startsWith('ok'))).toHaveLength(4)
  })

  it.each(['sequence.2.logprobs', 'sequence.3.entropy', 'grad.model.layers.1.mlp.up_proj.weight'])(
    'fail where %s is off by 2e-4 of its largest magnitude, and pass at half of 1e-4',
    async (spoilt) => {
      const off = (by: number) =>
        knowing((name, data) => {
          if (name !== spoilt) return data
          const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
          return data.map((value, index) => (index === 0 ? value + by * largest : value))
        })
      expect(await run(off(2e-4), golden)).toBe(false)
      expect(lines.at(-1)).toContain('FAIL')
      expect(await run(off(5e-5), golden)).toBe(true)
    },
  )

  it('fail where a value is missing, not a number, or the model does not load', async () => {
    expect(
      await run(
        knowing((name, data) => (name.startsWith('grad.') ? data.slice(1) : data)),
        golden,
      ),
    ).toBe(false)
    expect(
      await run(
        knowing((_, data) => data.fill(Number.NaN)),
        golden,
      ),
    ).toBe(false)
    const broken: LoadGoldenModel = async () => {
      throw new Error('no such architecture')
    }
    expect(await run(broken, golden)).toBe(false)
    expect(lines.at(-1)).toContain('no such architecture')
  })

  it('are refused where there are none', async () => {
    await expect(run(knowing())).rejects.toThrow('has no goldens')
    await expect(run(knowing(), join(directory, 'none'))).rejects.toThrow('is not a folder')
    await writeFile(join(directory, 'other.json'), '{}')
    await expect(run(knowing())).rejects.toThrow('has no goldens')
  })
})
