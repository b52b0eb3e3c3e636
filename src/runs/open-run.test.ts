import { execFile } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { TrainableModel } from '../engine/index.ts'
import { runStage } from '../trainers/stage.ts'
import { digestProblem, openRun, type Run, type RunOptions, runDigest } from './index.ts'
import { toyModel, toyPretrain, toyReinforce } from './testing/toy-training.ts'

let parent: string
let directory: string
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'whetstone-run-'))
  directory = join(parent, 'run')
})
afterEach(() => rm(parent, { recursive: true }))

const base: RunOptions = { name: 'toy', seed: 7, checkpointEvery: { steps: 2 } }

async function withRun<T>(more: Partial<RunOptions>, use: (run: Run) => Promise<T>): Promise<T> {
  const run = await openRun(directory, { ...base, ...more })
  try {
    return await use(run)
  } finally {
    await run.close()
  }
}

it('a run that recorded nothing may begin anew with other options', async () => {
  await withRun({ options: { steps: -1 } }, async () => {})
  await withRun({ options: { steps: 5 } }, async (run) => {
    await run.once('kept', async () => 1)
  })
  await expect(openRun(directory, { ...base, options: { steps: 6 } })).rejects.toThrow('there is a run in')
  await expect(openRun(directory, { ...base, options: { steps: 6 }, resume: true })).rejects.toThrow(
    'steps was 5 and is 6',
  )
})

it('a run that ended without a step is a run', async () => {
  await withRun({}, (run) => run.finish())
  await expect(openRun(directory, base)).rejects.toThrow('there is a run in')
})

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

it('a program that is left behind writes nothing into a run that is over', async () => {
  const run = await openRun(directory, base)
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

/** Two stages; leaves the second one after `until` steps of it. */
async function train(
  run: Run,
  until = Number.POSITIVE_INFINITY,
): Promise<{ model: TrainableModel; steps: string[] }> {
  const model = await toyModel()
  const steps: string[] = []
  for await (const { stage, step } of toyPretrain(model, run, 5)) steps.push(`${stage} ${step}`)
  for await (const { stage, step } of toyReinforce(model, run, 7)) {
    steps.push(`${stage} ${step}`)
    if (step + 1 >= until) break
  }
  return { model, steps }
}

/** The digest of a run that nothing happened to. */
async function untouchedDigest(): Promise<string> {
  const run = await openRun(join(parent, 'untouched'), base)
  await train(run)
  const digest = await run.finish()
  await run.close()
  return digest
}

const finish = async (run: Run) => {
  const { steps } = await train(run)
  return { steps, digest: await run.finish() }
}
const lines = async (file: string) => (await readFile(join(directory, file), 'utf8')).split('\n').slice(0, -1)

describe('a run in a directory', () => {
  it('keeps configuration, metrics, times, rollouts and the checkpoints that a resume needs', async () => {
    await withRun({ options: { depth: 2 } }, finish)
    expect(JSON.parse(await readFile(join(directory, 'config.json'), 'utf8'))).toMatchObject({
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
    expect(await readdir(join(directory, 'rollouts', 'reinforce'))).toHaveLength(7)
    expect(JSON.parse((await lines('rollouts/reinforce/0.jsonl'))[3]!)).toMatchObject({
      sample: 3,
      segments: [{ tokens: expect.any(Array) }],
    })
    const kept = await readdir(join(directory, 'checkpoints'))
    expect(kept).toEqual(expect.arrayContaining(['pretrain-5', 'reinforce-6', 'reinforce-7']))
    expect(kept.length).toBeLessThanOrEqual(4)
  })

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
      join(directory, 'metrics.jsonl'),
      '{"stage":"reinforce","step":4,"metrics":{}}\n{"stage":"rein',
    )
    await appendFile(join(directory, 'timing.jsonl'), '{"sta')
    await writeFile(join(directory, 'rollouts', 'reinforce', '4.jsonl'), '{}\n')
    await writeFile(join(directory, 'rollouts', 'reinforce', '99.jsonl.12.0.tmp'), '{}\n')
    const { digest } = await withRun({ resume: true }, finish)
    expect(digest).toBe(await untouchedDigest())
    expect((await lines('timing.jsonl')).map((line) => JSON.parse(line).step)).toHaveLength(12)
  })

  it.each([
    ['a file cut short', (path: string) => truncate(join(path, 'models/policy/state.safetensors'), 1000)],
    [
      'a byte changed',
      async (path: string) => {
        const file = join(path, 'models/policy/state.safetensors')
        const bytes = await readFile(file)
        bytes[bytes.length - 5]! ^= 1
        await writeFile(file, bytes)
      },
    ],
    ['a file missing', (path: string) => rm(join(path, 'state.json'))],
    ['no manifest', (path: string) => rm(join(path, 'manifest.json'))],
  ])('falls back to the checkpoint before a damaged one, and says so: %s', async (_, damage) => {
    await withRun({}, (run) => train(run, 4))
    await damage(join(directory, 'checkpoints', 'reinforce-4'))
    const warnings: string[] = []
    const { steps, digest } = await withRun(
      { resume: true, onWarning: (text) => warnings.push(text) },
      finish,
    )
    expect(warnings).toEqual([expect.stringMatching(/reinforce-4 is damaged: .*goes on from the one before/)])
    expect(steps[0]).toBe('reinforce 3')
    expect(digest).toBe(await untouchedDigest())
  })

  it('runs a stage again whose every checkpoint is damaged, and what came after it', async () => {
    await withRun({}, (run) => train(run, 4))
    await truncate(join(directory, 'checkpoints/pretrain-5/state.json'), 0)
    const { steps, digest } = await withRun({ resume: true }, finish)
    expect(steps).toHaveLength(12)
    expect(digest).toBe(await untouchedDigest())
  })

  it('refuses metrics that somebody changed, and touches nothing', async () => {
    await withRun({}, (run) => train(run, 4))
    const text = await readFile(join(directory, 'metrics.jsonl'), 'utf8')
    await writeFile(join(directory, 'metrics.jsonl'), text.replace('pretrain', 'Pretrain'))
    await expect(withRun({ resume: true }, finish)).rejects.toThrow('is not what the run wrote')
    expect(await readdir(join(directory, 'checkpoints'))).toContain('reinforce-4')
  })

  it('says how much of the metrics is there where they are cut', async () => {
    await withRun({}, (run) => train(run, 4))
    await truncate(join(directory, 'metrics.jsonl'), 10)
    await expect(withRun({ resume: true }, finish)).rejects.toThrow(
      /is not what the run wrote \(it has 10 bytes where the checkpoint tells of \d+\)/,
    )
  })

  it('names the digest it ended with, and which files are others since', async () => {
    const ended = await withRun({}, async (run) => {
      await train(run)
      return run.finish()
    })
    expect(await digestProblem(directory)).toBeUndefined()
    const text = await readFile(join(directory, 'metrics.jsonl'))
    await writeFile(join(directory, 'metrics.jsonl'), '')
    await writeFile(join(directory, 'rollouts', 'mine.jsonl'), '')
    expect(await digestProblem(directory)).toBe(
      `the run in ${directory} ended with the digest ${ended}, and since then metrics.jsonl was changed, rollouts/mine.jsonl was added`,
    )
    await rm(join(directory, 'rollouts', 'mine.jsonl'))
    await writeFile(join(directory, 'metrics.jsonl'), text)
    const finished = join(directory, 'finished.json')
    const told = await readFile(finished, 'utf8')
    await writeFile(finished, told.replace(ended, 'f'.repeat(64)))
    expect(await digestProblem(directory)).toContain(`${finished} was changed: it tells of the digest ffff`)
    await writeFile(finished, told)
    await mkdir(join(directory, 'results'), { recursive: true })
    await writeFile(join(directory, 'results', 'kept.json'), '2')
    const warnings: string[] = []
    await withRun({ resume: true, onWarning: (warning) => warnings.push(warning) }, finish)
    expect(warnings).toEqual([
      `the run in ${directory} ended with the digest ${ended}, and since then results/kept.json was added`,
    ])
  })

  it.each([
    ['a BigInt', 1n, 'Do not know how to serialize a BigInt'],
    ['nothing', undefined, 'it is undefined'],
    ['a function', () => 1, 'it is a function'],
  ])('refuses %s as a result, by its name', async (_, value, reason) => {
    await expect(withRun({}, (run) => run.once('odd', async () => value))).rejects.toThrow(
      `the result odd cannot be kept as JSON: ${reason}`,
    )
  })

  it.each([
    ['that was left', 3],
    ['that is finished', Number.POSITIVE_INFINITY],
  ])('names the rollouts that are gone of a run %s, as its digest is another', async (_, until) => {
    const warnings: string[] = []
    const whole = await withRun({}, async (run) => {
      await train(run, until)
      return until === Number.POSITIVE_INFINITY ? run.finish() : untouchedDigest()
    })
    expect(await digestProblem(directory)).toBeUndefined()
    await rm(join(directory, 'rollouts', 'reinforce', '1.jsonl'))
    expect(await digestProblem(directory)).toContain(`missing in ${directory}: rollouts/reinforce/1.jsonl. `)
    const { digest } = await withRun({ resume: true, onWarning: (text) => warnings.push(text) }, finish)
    expect(digest).not.toBe(whole)
    expect(warnings).toEqual([expect.stringContaining('rollouts/reinforce/1.jsonl')])
  })

  it('has another digest with another seed', async () => {
    const { digest } = await withRun({ seed: 8 }, finish)
    expect(digest).not.toBe(await untouchedDigest())
    expect(await runDigest(directory)).toBe(digest)
  })

  it('is not begun over another, nor among files of something else', async () => {
    await withRun({}, (run) => run.once('kept', async () => 1))
    await expect(openRun(directory, base)).rejects.toThrow('there is a run in')
    await writeFile(join(parent, 'notes.txt'), '')
    await expect(openRun(parent, base)).rejects.toThrow(
      'is not empty and holds no run (no config.json, but notes.txt',
    )
  })

  it('is not resumed with another configuration, and says which part differs', async () => {
    await withRun({ options: { rate: 0.1, data: { size: 3 } } }, (run) => run.once('kept', async () => 1))
    await expect(
      openRun(directory, { ...base, resume: true, options: { rate: 0.2, data: { size: 3, kind: 'a' } } }),
    ).rejects.toThrow('rate was 0.1 and is 0.2; data.kind was not given and is "a"')
    await expect(openRun(directory, { ...base, resume: true, seed: 1, options: {} })).rejects.toThrow(
      'seed was 7 and is 1',
    )
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
    expect(await readdir(join(directory, 'checkpoints'))).toContain('pretrain-3')
    expect((await withRun({ resume: true }, finish)).digest).toBe(await untouchedDigest())
  })

  it('measures once between stages and remembers', async () => {
    let measured = 0
    const measure = (run: Run) => run.once('pass', async () => ({ pass: ++measured }))
    expect(await withRun({}, measure)).toEqual({ pass: 1 })
    expect(await withRun({ resume: true }, measure)).toEqual({ pass: 1 })
  })

  it('refuses other examples under the name of those it began with', async () => {
    await withRun({}, (run) => run.dataset('tasks', 'abc'))
    await withRun({ resume: true }, (run) => run.dataset('tasks', 'abc'))
    await expect(withRun({ resume: true }, (run) => run.dataset('tasks', 'def'))).rejects.toThrow(
      'the examples "tasks" are not those that the run began with',
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
      const manifests = (await readdir(join(directory, 'checkpoints'))).filter((name) =>
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

describe('a full disk', () => {
  it('while a checkpoint is written leaves the one before it, and says what to do', async () => {
    const full = Object.assign(new Error('write: no space left on device'), { code: 'ENOSPC' })
    await withRun({}, async (run) => {
      const model = await toyModel()
      let left = 1
      const filling = {
        ...model,
        saveState: (path: string) => (left-- > 0 ? model.saveState(path) : Promise.reject(full)),
      }
      const stage = async () => {
        for await (const _ of toyPretrain(filling, run, 5));
      }
      await expect(stage()).rejects.toThrow(
        'the checkpoint of pretrain after 4 steps was not written: the disk is full. Free some space and resume the run (--resume). ' +
          'The checkpoint of pretrain after 2 steps is good',
      )
    })
    expect(await readdir(join(directory, 'checkpoints'))).toEqual(['pretrain-2'])
    expect((await withRun({ resume: true }, finish)).digest).toBe(await untouchedDigest())
  })

  it('of a real file system is the same', async (context) => {
    const disk = join(parent, 'disk')
    const program = join(import.meta.dirname, 'testing', 'toy-run.ts')
    const script = [
      'mkdir -p "$1" && mount -t tmpfs -o size=700k tmpfs "$1" || exit 77',
      '"$2" "$3" "$1/run" 4 30 2>"$4/errors"',
      'cp -r "$1/run" "$4/run"',
    ].join('\n')
    const isolated = ['-rm', 'bash', '-c', script, 'bash', disk, process.execPath, program, parent]
    const code = await promisify(execFile)('unshare', isolated).then(
      () => 0,
      (error) => error.code,
    )
    if (code !== 0) return context.skip('this machine lets nobody mount a small disk (unshare -rm)')
    expect(await readFile(join(parent, 'errors'), 'utf8')).toContain('the disk is full. Free some space')
    const { stdout } = await promisify(execFile)(process.execPath, [program, directory, '4', '30'])
    const { stdout: whole } = await promisify(execFile)(process.execPath, [
      program,
      join(parent, 'new'),
      '4',
      '30',
    ])
    expect(stdout.trim().split('\n').at(-1)).toBe(whole.trim().split('\n').at(-1))
    expect(stdout.split('\n')[0]!.length).toBeLessThan(34)
  })
})
