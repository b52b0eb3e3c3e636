import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { executeRun, openRun, runDigest, writeReport } from './index.ts'
import { pathProblem } from './layout.ts'

let parent: string
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'whetstone-layout-'))
})
afterEach(() => rm(parent, { recursive: true }))

const definition = { name: 'empty', train: async () => {} }

/** Each way to a run says the same. */
async function refusals(directory: string): Promise<string[]> {
  const ways = [
    openRun(directory, { name: 'empty', seed: 0, resume: true }),
    executeRun(definition, { directory }),
    executeRun(definition, { directory, resume: true }),
    runDigest(directory),
    writeReport(directory),
  ]
  const reason = (error: Error) => `${error.name}: ${error.message}`
  return Promise.all(ways.map((way) => way.then(() => 'went on', reason)))
}

describe('a directory that cannot hold a run is refused in words', () => {
  it('where it is a file, or a part of its path is one', async () => {
    const file = join(parent, 'file')
    await writeFile(file, '')
    for (const refusal of await refusals(file))
      expect(refusal).toBe(
        `RunError: ${file} is a file; a run needs a folder of its own: choose another directory`,
      )
    for (const refusal of await refusals(join(file, 'a', 'b')))
      expect(refusal).toBe(
        `RunError: ${join(file, 'a', 'b')} cannot be made: ${file} is a file, not a folder; choose another directory`,
      )
  })

  it.each(['metrics.jsonl', 'timing.jsonl', 'config.json', 'finished.json', 'report.html'])(
    'where %s is a folder',
    async (name) => {
      const directory = join(parent, 'run')
      await executeRun(definition, { directory })
      await rm(join(directory, name))
      await mkdir(join(directory, name))
      for (const refusal of await refusals(directory))
        expect(refusal).toContain(`RunError: ${join(directory, name)} is a folder, where a run keeps a file`)
    },
  )

  it.each(['lock', 'checkpoints', 'results', 'rollouts'])('where %s is a file', async (name) => {
    const directory = join(parent, 'run')
    await executeRun(definition, { directory })
    await rm(join(directory, name), { recursive: true, force: true })
    await writeFile(join(directory, name), '')
    for (const refusal of await refusals(directory))
      expect(refusal).toContain(`RunError: ${join(directory, name)} is a file, where a run keeps a folder`)
  })

  it.skipIf(process.getuid?.() === 0)('where this user may not write', async () => {
    await chmod(parent, 0o500)
    expect((await refusals(join(parent, 'run')))[0]).toContain('this user has no permission')
    await chmod(parent, 0o700)
  })

  it.runIf(process.platform === 'linux')('where the system makes no folders', async () => {
    expect((await refusals('/proc/whetstone')).slice(0, 3)).toEqual(
      Array(3).fill('RunError: /proc/whetstone: no folder can be made in /proc; choose another path'),
    )
  })

  it('with what to do about it', () => {
    const error = (code: string) => Object.assign(new Error(code), { code })
    expect(pathProblem('/a', error('EACCES')).message).toBe(
      '/a: this user has no permission; give it some (chmod u+rwX), or choose another directory',
    )
    expect(pathProblem('/a', error('EROFS')).message).toContain(
      'a disk that cannot be written; choose another',
    )
    expect(pathProblem('/a', error('EIO')).message).toBe('/a: EIO')
  })
})
