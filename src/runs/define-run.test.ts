import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { checkDefinition } from './define-run.ts'
import { defineRun, loadDefinition, programAt, withPlace } from './index.ts'
import { parseOptions } from './parse-options.ts'

const definition = defineRun({
  name: 'demo',
  options: {
    learningRate: z.number().positive().default(1e-3),
    note: z.string().optional(),
    model: z.strictObject({ layers: z.int().default(2), heads: z.int().default(2) }).prefault({}),
  },
  async train() {},
})

describe('the definition of a run', () => {
  it.each([
    [{ name: 'a', trian: async () => {} }, 'unknown key trian; did you mean train?'],
    [
      { name: 'a', train() {}, checkpointEvery: { step: 3 } },
      'unknown key checkpointEvery.step; did you mean checkpointEvery.steps?',
    ],
    [{ name: 'a', train() {}, zzzzzzzzz: 1 }, 'known are checkpointEvery, name, options, seed, train'],
    [{ name: 'a' }, 'train: it must be a function'],
    [{ name: 'a', train() {}, options: { rate: 3 } }, 'options.rate: it must be a zod type'],
    ['x', 'expected object'],
  ])('%j is refused: %s', (value, message) => {
    expect(() => checkDefinition(value)).toThrow(message)
  })
})

describe('the options of a run', () => {
  it('are JSON by their keys, with defaults for the rest', () => {
    expect(parseOptions(definition, ['learningRate=2e-4', 'model.layers=4'])).toEqual({
      learningRate: 2e-4,
      model: { layers: 4, heads: 2 },
    })
  })

  it('go over those of the run that is resumed', () => {
    expect(
      parseOptions(definition, ['model.heads=8'], {
        options: { learningRate: 1, model: { layers: 3, heads: 1 } },
        file: 'config.json',
      }),
    ).toEqual({
      learningRate: 1,
      model: { layers: 3, heads: 8 },
    })
  })

  it('that are texts may look like numbers', () => {
    expect(parseOptions(definition, ['note=12', 'note=13'])).toMatchObject({ note: '13' })
    expect(parseOptions(definition, ['note=a=b c'])).toMatchObject({ note: 'a=b c' })
  })

  it.each([
    ['learninRate=1', 'options: unknown key learninRate; did you mean learningRate?'],
    ['model.layer=1', 'options: unknown key model.layer; did you mean model.layers?'],
    ['__proto__.learningRate=1', 'unknown key __proto__'],
    ['learningRate=fast', "options: learningRate: Invalid input: expected number, got 'fast'"],
    ['learningRate=-1', 'options: learningRate: Too small'],
    ['learningRate', '"learningRate" sets nothing; write key=value'],
  ])('%s are refused: %s', (setting, message) => {
    expect(() => parseOptions(definition, [setting])).toThrow(message)
  })
})

describe("a run's file", () => {
  let directory: string
  const runs = JSON.stringify(join(import.meta.dirname, 'index.ts'))
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'whetstone-define-'))
  })
  afterAll(() => rm(directory, { recursive: true }))
  const file = async (name: string, content: string) => {
    const path = join(directory, name)
    await writeFile(path, content)
    return path
  }

  it('is itself, or the program of a folder', async () => {
    const path = await file('index.ts', '')
    expect(await programAt(path)).toBe(path)
    expect(await programAt(directory)).toBe(path)
    expect(await programAt(join(directory, 'none'))).toBeUndefined()
    await expect(programAt(tmpdir())).rejects.toThrow('has none of index.ts, recipe.ts')
  })

  it('gives its definition', async () => {
    const path = await file(
      'good.ts',
      `import { defineRun } from ${runs}\nexport default defineRun({ name: 'good', async train() {} })`,
    )
    expect((await loadDefinition(path)).name).toBe('good')
  })

  it('without a default export is refused with what to write', async () => {
    await expect(loadDefinition(await file('empty.ts', 'export const a = 1'))).rejects.toThrow(
      'empty.ts exports no default; write: export default defineRun({ name, train })',
    )
  })

  it('whose train throws is told with the line, and a defect elsewhere keeps its stack', () => {
    const own = new TypeError('x is not a function')
    own.stack =
      'TypeError: x is not a function\n    at inner (file:///lib/a.ts:1:1)\n    at train (file:///tmp/mine.ts:7:3)'
    expect(withPlace(own, '/tmp/mine.ts')).toMatchObject({
      message: '/tmp/mine.ts:7: TypeError: x is not a function',
    })
    const foreign = new TypeError('no')
    expect(withPlace(foreign, '/tmp/mine.ts')).toBe(foreign)
  })
})
