import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runStage } from '../trainers/stage.ts'
import { executeRun, openRun, runDigest } from './index.ts'
import { finish, toyOptions, toyRuns, train } from './testing/run-fixture.ts'
import { toyModel, toyPretrain } from './testing/toy-training.ts'

const runs = toyRuns()
const { lines, untouchedDigest, withRun } = runs

it('a run that recorded nothing may begin anew with other options', async () => {
  await withRun({ options: { steps: -1 } }, async () => {})
  await withRun({ options: { steps: 5 } }, async (run) => {
    await run.once('kept', async () => 1)
  })
  await expect(openRun(runs.directory, { ...toyOptions, options: { steps: 6 } })).rejects.toThrow(
    'there is a run in',
  )
  await expect(
    openRun(runs.directory, { ...toyOptions, options: { steps: 6 }, resume: true }),
  ).rejects.toThrow('steps was 5 and is 6')
})

it('a resume that finds no run says so as a notice, and not as a warning', async () => {
  const heard: string[] = []
  const listeners = {
    log: (text: string) => heard.push(`notice: ${text}`),
    onWarning: (text: string) => heard.push(`warning: ${text}`),
  }
  const definition = { name: 'empty', train: async () => {} }
  const { directory } = runs
  await executeRun(definition, { directory, resume: true, ...listeners })
  await executeRun(definition, { directory, resume: true, ...listeners })
  expect(heard).toEqual([`notice: there is no run in ${directory} yet; one begins`])
})

it('a run that ended without a step is a run', async () => {
  await withRun({}, (run) => run.finish())
  await expect(openRun(runs.directory, toyOptions)).rejects.toThrow('there is a run in')
})

it('a program that is left behind writes nothing into a run that is over', async () => {
  const run = await openRun(runs.directory, toyOptions)
  const report = { stage: 'a', step: 0, steps: 2, metrics: {}, seconds: {}, warnings: [] }
  await run.resume('a', { models: {} })
  await run.record(report)
  await run.close()
  const before = await lines('metrics.jsonl')
  for (const late of [
    () => run.record({ ...report, step: 1 }),
    () => run.once('late', async () => 1),
    () => run.dataset('late', 'x'),
    () => run.checkpoint('a', { models: {} }, 1, false),
    () => run.finish(),
  ])
    await expect(late()).rejects.toThrow(/the run in .* is over, and records nothing any more/)
  expect(await lines('metrics.jsonl')).toEqual(before)
})

it.each([
  [{ metrics: { loss: 'low' as never } }, 'step 0 of a reports loss = "low"; a metric is a number'],
  [{ evaluation: { pass: null as never } }, 'step 0 of a reports pass = null; a metric is a number'],
  [{ warnings: [7 as never] }, 'step 0 of a warns of 7; a warning is a text'],
])('a figure that is none is refused before it is written: %j', async (more, message) => {
  await withRun({}, async (run) => {
    await run.resume('a', { models: {} })
    const report = { stage: 'a', step: 0, steps: 1, metrics: {}, seconds: {}, warnings: [], ...more }
    await expect(run.record(report)).rejects.toThrow(message)
  })
  expect(await lines('metrics.jsonl')).toEqual([])
})

describe('a run in a directory', () => {
  it('keeps configuration, metrics, times, rollouts and the checkpoints that a resume needs', async () => {
    await withRun({ options: { depth: 2 } }, finish)
    expect(JSON.parse(await readFile(join(runs.directory, 'config.json'), 'utf8'))).toMatchObject({
      name: 'toy',
      seed: 7,
      options: { depth: 2 },
      hardware: { enginePath: expect.any(String) },
      versions: { node: process.versions.node },
    })
    expect(await lines('metrics.jsonl')).toHaveLength(12)
    expect(JSON.parse((await lines('timing.jsonl'))[0]!)).toMatchObject({
      seconds: { step: expect.any(Number) },
    })
    expect(await readdir(join(runs.directory, 'rollouts', 'reinforce'))).toHaveLength(7)
    expect(JSON.parse((await lines('rollouts/reinforce/0.jsonl'))[3]!)).toMatchObject({
      sample: 3,
      segments: [{ tokens: expect.any(Array) }],
    })
    const kept = await readdir(join(runs.directory, 'checkpoints'))
    expect(kept).toEqual(expect.arrayContaining(['pretrain-5', 'reinforce-6', 'reinforce-7']))
    expect(kept.length).toBeLessThanOrEqual(4)
  })

  it('has another digest with another seed', async () => {
    const { digest } = await withRun({ seed: 8 }, finish)
    expect(digest).not.toBe(await untouchedDigest())
    expect(await runDigest(runs.directory)).toBe(digest)
  })

  it('is not begun over another, nor among files of something else', async () => {
    await withRun({}, (run) => run.once('kept', async () => 1))
    await expect(openRun(runs.directory, toyOptions)).rejects.toThrow('there is a run in')
    await writeFile(join(runs.parent, 'notes.txt'), '')
    await expect(openRun(runs.parent, toyOptions)).rejects.toThrow(
      'is not empty and holds no run (no config.json, but notes.txt',
    )
  })

  it('gives the best weights of a stage back', async () => {
    await withRun({}, async (run) => {
      const { model } = await train(run)
      const steps = await run.restoreBest('reinforce', { policy: model })
      expect(await run.restoreBest('reinforce', model)).toBe(steps)
      await expect(run.restoreBest('reinforce', { other: model })).rejects.toThrow(
        'has the models policy, but no "other"',
      )
      const manifests = (await readdir(join(runs.directory, 'checkpoints'))).filter((name) =>
        name.startsWith('reinforce'),
      )
      expect(manifests).toContain(`reinforce-${steps}`)
      expect(await run.restoreBest('pretrain', { policy: model })).toBeUndefined()
    })
  })

  it('refuses two stages of one name, and names that are no file names', async () => {
    await withRun({}, async (run) => {
      const model = await toyModel()
      for await (const _ of toyPretrain(model, run, 1));
      await expect(toyPretrain(model, run, 1).next()).rejects.toThrow(
        'two stages of this run are called pretrain',
      )
      const stage = {
        name: '../up',
        steps: 1,
        state: { models: {} },
        run,
        step: async () => ({ metrics: {} }),
      }
      await expect(runStage(stage).next()).rejects.toThrow('"../up" cannot be the name of a file')
    })
  })
})
