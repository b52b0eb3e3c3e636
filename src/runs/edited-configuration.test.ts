import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineRun, executeRun, writeReport } from './index.ts'
import { finish, toyRuns, train } from './testing/run-fixture.ts'

const runs = toyRuns()
const { untouchedDigest, withRun } = runs

const began = { options: { rate: 0.1, data: { size: 3 } }, program: { file: '/a.ts', sha256: '1' } }
const config = () => join(runs.directory, 'config.json')

/** Changes a file of the run as JSON. */
async function edit(file: string, change: (content: Record<string, unknown>) => object): Promise<void> {
  const path = join(runs.directory, file)
  await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, 'utf8')))))
}

/** What the checkpoints and finished.json of the first version had. */
async function withoutKeptConfiguration(): Promise<void> {
  const first = ({ configuration: _, ...content }: Record<string, unknown>) => content
  for (const name of await readdir(join(runs.directory, 'checkpoints')))
    await edit(join('checkpoints', name, 'manifest.json'), (content) => ({ ...first(content), format: 1 }))
  if ((await readdir(runs.directory)).includes('finished.json')) await edit('finished.json', first)
}

describe('a config.json that was edited', () => {
  const edits: [string, object][] = [
    ['options.rate was 0.1 and is 0.2', { options: { rate: 0.2, data: { size: 3 } } }],
    ['options.data.size was 3 and is "x"', { options: { rate: 0.1, data: { size: 'x' } } }],
    ['options.data was {"size":3} and is not given', { options: { rate: 0.1 } }],
    ['seed was 7 and is 8', { seed: 8 }],
    ['program.sha256 was "1" and is "2"', { program: { file: '/a.ts', sha256: '2' } }],
    ['datasets.tasks was "abc" and is "def"', { datasets: { tasks: 'def' } }],
    ['datasets.tasks was "abc" and is not given', { datasets: {} }],
  ]
  describe.each([
    ['was left', false],
    ['has ended', true],
  ])('of a run that %s', (_, ends) => {
    it.each(edits)('is refused on a resume and by the report, with the key: %s', async (key, change) => {
      await withRun(began, async (run) => {
        await run.dataset('tasks', 'abc')
        await train(run, ends ? Number.POSITIVE_INFINITY : 3)
        if (ends) await run.finish()
      })
      const before = await readdir(runs.directory, { recursive: true })
      await edit('config.json', (content) => ({ ...content, ...change }))
      const message = `${config()} was edited since the run began: ${key}. Put it back as it was, or begin a new run in another directory, with other options by --set`
      await expect(withRun({ ...began, resume: true }, train)).rejects.toThrow(message)
      await expect(writeReport(runs.directory)).rejects.toThrow(message)
      expect(await readdir(runs.directory, { recursive: true })).toEqual(before)
    })
  })

  it('goes on once it was put back, to the digest of a run that nothing happened to', async () => {
    await withRun({}, (run) => train(run, 3))
    const text = await readFile(config(), 'utf8')
    await edit('config.json', (content) => ({ ...content, seed: 8 }))
    await expect(withRun({ resume: true }, finish)).rejects.toThrow('seed was 7 and is 8')
    await writeFile(config(), text)
    expect((await withRun({ resume: true }, finish)).digest).toBe(await untouchedDigest())
  })

  it('may have data sets that the run named after its last checkpoint', async () => {
    await withRun({}, async (run) => {
      await train(run, 2)
      await run.dataset('late', 'abc')
    })
    expect((await withRun({ resume: true }, finish)).digest).toBe(await untouchedDigest())
  })
})

it.each([
  ['was left', 3],
  ['has ended', Number.POSITIVE_INFINITY],
])(
  'a run of the first version, which kept no configuration beside its models, goes on: one that %s',
  async (_, until) => {
    await withRun({}, async (run) => {
      await train(run, until)
      if (until === Number.POSITIVE_INFINITY) await run.finish()
    })
    await withoutKeptConfiguration()
    await writeReport(runs.directory)
    expect((await withRun({ resume: true }, finish)).digest).toBe(await untouchedDigest())
  },
)

it('a checkpoint of this version without its configuration is damaged', async () => {
  await withRun({}, (run) => train(run, 4))
  await edit('checkpoints/reinforce-4/manifest.json', ({ configuration: _, ...content }) => content)
  const warnings: string[] = []
  await withRun({ resume: true, onWarning: (text) => warnings.push(text) }, finish)
  expect(warnings).toEqual([expect.stringContaining('reinforce-4 is damaged')])
})

describe('of a program, a config.json', () => {
  const rate = z.number().default(0.1)
  /** Does something to its own directory, as somebody might at that time. */
  const program = (meanwhile: () => Promise<void> = async () => {}) =>
    defineRun({
      name: 'demo',
      options: { rate },
      async train({ run }) {
        await train(run)
        await meanwhile()
        return { notes: ['all went well'] }
      },
    })
  const withRate = (value: unknown) =>
    edit('config.json', (content) => ({ ...content, options: { rate: value } }))

  it.each([
    ['to another', () => withRate(0.2), 'was edited since the run began: options.rate was 0.1 and is 0.2'],
    ['to none', () => writeFile(config(), '{"name": '), 'is not the config.json of a run'],
  ])(
    'that is edited %s under way costs neither the digest nor the report, and is refused later',
    async (_, meanwhile, reason) => {
      const { directory } = runs
      const untouched = await executeRun(program(), { directory: join(runs.parent, 'untouched') })
      const warnings: string[] = []
      const onWarning = (text: string) => warnings.push(text)
      const ended = await executeRun(program(meanwhile), { directory, onWarning })
      expect(ended.digest).toBe(untouched.digest)
      expect(warnings).toEqual([
        expect.stringContaining(
          `the run ended with the configuration that it began with, but ${config()} ${reason}`,
        ),
      ])
      const report = await readFile(ended.report, 'utf8')
      expect(report).toContain('all went well')
      expect(report).toContain('"options":{"rate":0.1}')
      await expect(writeReport(directory)).rejects.toThrow(`${config()} ${reason}`)
      await expect(executeRun(program(), { directory, resume: true })).rejects.toThrow(
        `${config()} ${reason}`,
      )
    },
  )

  it.each([
    ['0.2', 0.2],
    ['"fast", which the program does not take', 'fast'],
  ])(
    'that was edited to %s is told as edited on a resume, also where a setting is wrong',
    async (_, value) => {
      const { directory } = runs
      await executeRun(program(), { directory })
      await withRate(value)
      for (const settings of [[], ['rate=slow'], ['rate=0.1']])
        await expect(executeRun(program(), { directory, resume: true, settings })).rejects.toThrow(
          `${config()} was edited since the run began: options.rate was 0.1 and is ${JSON.stringify(value)}`,
        )
    },
  )
})

describe('where nothing else kept the configuration, a config.json', () => {
  const definition = defineRun({
    name: 'demo',
    options: { rate: z.number().default(0.1) },
    async train({ run }) {
      await run.once('kept', async () => 1)
    },
  })
  it.each([
    [{ options: { rate: 'fast' } }, `options: rate: Invalid input: expected number, got 'fast'`],
    [{ options: { rat: 1 } }, 'options: unknown key rat; did you mean rate?'],
    [{ options: [] }, 'options: Invalid input: expected object'],
    [{ seed: 'x' }, `seed: Invalid input: expected number, got 'x'`],
  ])('with %j is at fault, not a setting', async (change, reason) => {
    const { directory } = runs
    await executeRun(definition, { directory })
    await rm(join(directory, 'finished.json'))
    await edit('config.json', (content) => ({ ...content, ...change }))
    const refused = executeRun(definition, { directory, resume: true, settings: ['rate=0.1'] })
    await expect(refused).rejects.toMatchObject({ name: 'RunError' })
    await expect(refused).rejects.toThrow(config())
    await expect(refused).rejects.toThrow(reason)
    await expect(refused).rejects.toThrow(/[Pp]ut back what was edited/)
  })
})
