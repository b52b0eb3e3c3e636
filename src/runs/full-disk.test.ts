import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { finish, toyRuns } from './testing/run-fixture.ts'
import { toyModel, toyPretrain } from './testing/toy-training.ts'

const runs = toyRuns()
const { untouchedDigest, withRun } = runs

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
    expect(await readdir(join(runs.directory, 'checkpoints'))).toEqual(['pretrain-2'])
    expect((await withRun({ resume: true }, finish)).digest).toBe(await untouchedDigest())
  })

  it('of a real file system is the same', async (context) => {
    const disk = join(runs.parent, 'disk')
    const program = join(import.meta.dirname, 'testing', 'toy-run.ts')
    const script = [
      'mkdir -p "$1" && mount -t tmpfs -o size=700k tmpfs "$1" || exit 77',
      '"$2" "$3" "$1/run" 4 30 2>"$4/errors"',
      'cp -r "$1/run" "$4/run"',
    ].join('\n')
    const isolated = ['-rm', 'bash', '-c', script, 'bash', disk, process.execPath, program, runs.parent]
    const code = await promisify(execFile)('unshare', isolated).then(
      () => 0,
      (error) => error.code,
    )
    if (code !== 0) return context.skip('this machine lets nobody mount a small disk (unshare -rm)')
    expect(await readFile(join(runs.parent, 'errors'), 'utf8')).toContain('the disk is full. Free some space')
    const { stdout } = await promisify(execFile)(process.execPath, [program, runs.directory, '4', '30'])
    const { stdout: whole } = await promisify(execFile)(process.execPath, [
      program,
      join(runs.parent, 'new'),
      '4',
      '30',
    ])
    expect(stdout.trim().split('\n').at(-1)).toBe(whole.trim().split('\n').at(-1))
    expect(stdout.split('\n')[0]!.length).toBeLessThan(34)
  })
})
