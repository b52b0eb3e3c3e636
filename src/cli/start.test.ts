import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const exits = join(import.meta.dirname, 'premature-exit.ts')

const main = join(import.meta.dirname, 'main.ts')

/** The command with a full disk behind its standard output. */
async function unwritten(...args: string[]): Promise<{ code: number; stderr: string }> {
  const command = ['-c', '"$@" >/dev/full', 'sh', process.execPath, main, ...args]
  const { code = 0, stderr } = await promisify(execFile)('sh', command).catch((error) => error)
  return { code, stderr }
}

it.runIf(process.platform === 'linux').each(['--help', '--version'])(
  '%s that cannot be written is a failure, told once',
  async (flag) => {
    expect(await unwritten(flag)).toEqual({
      code: 1,
      stderr: 'whetstone: standard output cannot be written: the disk is full; free some space\n',
    })
  },
)

it.each([
  ['', ''],
  [
    ', also after another in it was over',
    "refusePrematureExit('inner', { expected: 130, wordsOf: (error) => error, beforeWords() {} })()",
  ],
])('what ends a program is told on a line of its own, below its progress%s', async (_, meanwhile) => {
  const program = `import { failInWords, refusePrematureExit } from ${JSON.stringify(exits)}
const beforeWords = () => process.stderr.write('\\n')
refusePrematureExit('demo', { expected: 130, wordsOf: (error) => error, beforeWords })
process.stderr.write('[==  ] 2/4')
${meanwhile}
failInWords('the disk is full')`
  const command = ['--input-type=module-typescript', '-e', program]
  const { code, stderr } = await promisify(execFile)(process.execPath, command).catch((error) => error)
  expect(code).toBe(1)
  expect(stderr).toMatch(/^\[== {2}\] 2\/4\nwhetstone: the disk is full\n/)
})

it.runIf(process.platform === 'linux')(
  'a disk that is full is no concern of what writes nothing there',
  async () => {
    const { code, stderr } = await unwritten('nonesuch')
    expect(code).toBe(2)
    expect(stderr).not.toContain('cannot be written')
  },
)
