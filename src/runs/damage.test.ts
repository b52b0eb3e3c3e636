import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestProblem, writeReport } from './index.ts'
import { finish, toyRuns, train } from './testing/run-fixture.ts'

const runs = toyRuns()
const { untouchedDigest, withRun } = runs

describe('a damaged run', () => {
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
    await damage(join(runs.directory, 'checkpoints', 'reinforce-4'))
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
    await truncate(join(runs.directory, 'checkpoints/pretrain-5/state.json'), 0)
    const { steps, digest } = await withRun({ resume: true }, finish)
    expect(steps).toHaveLength(12)
    expect(digest).toBe(await untouchedDigest())
  })

  it('refuses metrics that somebody changed, and touches nothing', async () => {
    await withRun({}, (run) => train(run, 4))
    const text = await readFile(join(runs.directory, 'metrics.jsonl'), 'utf8')
    await writeFile(join(runs.directory, 'metrics.jsonl'), text.replace('pretrain', 'Pretrain'))
    await expect(withRun({ resume: true }, finish)).rejects.toThrow('is not what the run wrote')
    expect(await readdir(join(runs.directory, 'checkpoints'))).toContain('reinforce-4')
  })

  it('says how much of the metrics is there where they are cut', async () => {
    await withRun({}, (run) => train(run, 4))
    await truncate(join(runs.directory, 'metrics.jsonl'), 10)
    await expect(withRun({ resume: true }, finish)).rejects.toThrow(
      /is not what the run wrote \(it has 10 bytes where the checkpoint tells of \d+\)/,
    )
  })

  it.each([
    ['changed', (file: string) => writeFile(file, 'x\n')],
    ['cut', (file: string) => truncate(file, 10)],
  ])('refuses rollouts that were %s before it trains on', async (_, damage) => {
    await withRun({}, (run) => train(run, 4))
    const file = join(runs.directory, 'rollouts/reinforce/1.jsonl')
    await damage(file)
    await expect(withRun({ resume: true }, finish)).rejects.toThrow(`${file} is not what the run wrote`)
    await rm(file)
    const { steps } = await withRun({ resume: true }, finish)
    expect(steps[0]).toBe('reinforce 4')
  })

  it.each([
    ['without its times', (file: string) => rm(file)],
    ['with half a line of times', (file: string) => truncate(file, 10)],
    [
      'with a line and a half of times',
      async (file: string) => truncate(file, (await readFile(file)).indexOf(10) + 10),
    ],
  ])('goes on %s to the same digest and a report', async (_, damage) => {
    await withRun({}, (run) => train(run, 4))
    await damage(join(runs.directory, 'timing.jsonl'))
    expect(await withRun({ resume: true }, finish)).toMatchObject({ digest: await untouchedDigest() })
    expect(await writeReport(runs.directory)).toContain('report.html')
  })

  it('names the digest it ended with, and which files are others since', async () => {
    const ended = await withRun({}, async (run) => {
      await train(run)
      return run.finish()
    })
    expect(await digestProblem(runs.directory)).toBeUndefined()
    const text = await readFile(join(runs.directory, 'metrics.jsonl'))
    await writeFile(join(runs.directory, 'metrics.jsonl'), '')
    await writeFile(join(runs.directory, 'rollouts', 'mine.jsonl'), '')
    expect(await digestProblem(runs.directory)).toBe(
      `the run in ${runs.directory} ended with the digest ${ended}, and since then metrics.jsonl was changed, rollouts/mine.jsonl was added`,
    )
    await rm(join(runs.directory, 'rollouts', 'mine.jsonl'))
    await writeFile(join(runs.directory, 'metrics.jsonl'), text)
    const finished = join(runs.directory, 'finished.json')
    const told = await readFile(finished, 'utf8')
    await writeFile(finished, told.replace(ended, 'f'.repeat(64)))
    expect(await digestProblem(runs.directory)).toContain(
      `${finished} was changed: it tells of the digest ffff`,
    )
    await writeFile(finished, told)
    await mkdir(join(runs.directory, 'results'), { recursive: true })
    await writeFile(join(runs.directory, 'results', 'kept.json'), '2')
    const warnings: string[] = []
    await withRun({ resume: true, onWarning: (warning) => warnings.push(warning) }, finish)
    expect(warnings).toEqual([
      `the run in ${runs.directory} ended with the digest ${ended}, and since then results/kept.json was added`,
    ])
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
    expect(await digestProblem(runs.directory)).toBeUndefined()
    await rm(join(runs.directory, 'rollouts', 'reinforce', '1.jsonl'))
    expect(await digestProblem(runs.directory)).toContain(
      `missing in ${runs.directory}: rollouts/reinforce/1.jsonl. `,
    )
    const { digest } = await withRun({ resume: true, onWarning: (text) => warnings.push(text) }, finish)
    expect(digest).not.toBe(whole)
    expect(warnings).toEqual([expect.stringContaining('rollouts/reinforce/1.jsonl')])
  })
})
