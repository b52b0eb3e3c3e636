import { appendFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openRun, type Run, type RunOptions } from './index.ts'
import { finish, toyOptions, toyRuns, train } from './testing/run-fixture.ts'
import { toyModel, toyPretrain, toyReinforce } from './testing/toy-training.ts'

const runs = toyRuns()
const { lines, untouchedDigest, withRun } = runs

it('another program is told of on a resume, the same one in another place is not', async () => {
  const resumed = async (program: NonNullable<RunOptions['program']>) => {
    const warnings: string[] = []
    await withRun({ resume: true, program, onWarning: (text) => warnings.push(text) }, async () => {})
    return warnings
  }
  await withRun({ program: { file: '/a.ts', sha256: '1' } }, (run) => run.once('kept', async () => 1))
  expect(await resumed({ file: '/b.ts', sha256: '1' })).toEqual([])
  expect(await resumed({ file: '/a.ts', sha256: '2' })).toEqual([
    expect.stringContaining('/a.ts was changed since the run began'),
  ])
  expect(await resumed({ file: '/b.ts', sha256: '2' })).toEqual([
    expect.stringContaining('the program was /a.ts when the run began and is /b.ts'),
  ])
})

describe('a resumed run', () => {
  it('goes on where it was left, and is then what it would have been', async () => {
    await withRun({}, (run) => train(run, 3))
    const { steps, digest } = await withRun({ resume: true }, finish)
    expect(steps).toEqual(['reinforce 3', 'reinforce 4', 'reinforce 5', 'reinforce 6'])
    expect(digest).toBe(await untouchedDigest())
  })

  it('gives each stage the models that the stage before it ended with, also when that is long over', async () => {
    const seen = async (run: Run) => {
      const model = await toyModel()
      for await (const _ of toyPretrain(model, run, 5));
      const between = await model.parameter('model.norm.weight')
      for await (const { step } of toyReinforce(model, run, 7)) if (step === 2) break
      return between
    }
    const first = await withRun({}, seen)
    expect(await withRun({ resume: true }, seen)).toEqual(first)
  })

  it('cuts what lies beyond the checkpoint: later steps, half a line, their rollouts, half a checkpoint', async () => {
    await withRun({}, (run) => train(run, 4))
    await appendFile(
      join(runs.directory, 'metrics.jsonl'),
      '{"stage":"reinforce","step":4,"metrics":{}}\n{"stage":"rein',
    )
    await appendFile(join(runs.directory, 'timing.jsonl'), '{"sta')
    await writeFile(join(runs.directory, 'rollouts', 'reinforce', '4.jsonl'), '{}\n')
    await writeFile(join(runs.directory, 'rollouts', 'reinforce', '99.jsonl.12.0.tmp'), '{}\n')
    const { digest } = await withRun({ resume: true }, finish)
    expect(digest).toBe(await untouchedDigest())
    expect((await lines('timing.jsonl')).map((line) => JSON.parse(line).step)).toHaveLength(12)
  })

  it('is not resumed with another configuration, and says which part differs', async () => {
    await withRun({ options: { rate: 0.1, data: { size: 3 } } }, (run) => run.once('kept', async () => 1))
    await expect(
      openRun(runs.directory, {
        ...toyOptions,
        resume: true,
        options: { rate: 0.2, data: { size: 3, kind: 'a' } },
      }),
    ).rejects.toThrow('rate was 0.1 and is 0.2; data.kind was not given and is "a"')
    await expect(
      openRun(runs.directory, { ...toyOptions, resume: true, seed: 1, options: {} }),
    ).rejects.toThrow('seed was 7 and is 1')
  })

  it('stops after the step in hand with a checkpoint, and lets nothing after it run', async () => {
    const controller = new AbortController()
    const onReport = ({ stage, step }: { stage: string; step: number }) => {
      if (stage === 'pretrain' && step === 2) controller.abort()
    }
    let after = false
    const stopped = withRun({ signal: controller.signal, onReport }, async (run) => {
      const model = await toyModel()
      for await (const _ of toyPretrain(model, run, 5));
      await run.once('after', async () => {
        after = true
      })
    })
    await expect(stopped).rejects.toMatchObject({ name: 'RunInterrupted' })
    expect(after).toBe(false)
    expect(await readdir(join(runs.directory, 'checkpoints'))).toContain('pretrain-3')
    expect((await withRun({ resume: true }, finish)).digest).toBe(await untouchedDigest())
  })

  it('refuses other examples under the name of those it began with', async () => {
    await withRun({}, (run) => run.dataset('tasks', 'abc'))
    await withRun({ resume: true }, (run) => run.dataset('tasks', 'abc'))
    await expect(withRun({ resume: true }, (run) => run.dataset('tasks', 'def'))).rejects.toThrow(
      'the examples "tasks" are not those that the run began with',
    )
  })
})
