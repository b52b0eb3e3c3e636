import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../data/random.ts'
import { runDigest } from './index.ts'

const program = join(import.meta.dirname, 'testing', 'trainer-run.ts')
const KILLS = 20
// More than the kills can let through.
const STEPS = ['20', '150']

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-kill-'))
})
afterAll(() => rm(directory, { recursive: true }))

async function runToItsEnd(run: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, run, ...STEPS])
  return stdout.trim().split('\n').at(-1) as string
}

/** Waits for so many steps of the child, then so many milliseconds, and kills it. Gives whether it was still running. */
async function killAfter(child: ChildProcess, steps: number, milliseconds: number): Promise<boolean> {
  const ended = once(child, 'close')
  let seen = 0
  await new Promise<void>((resolve) => {
    if (steps === 0) resolve()
    child.stdout?.on('data', (text: Buffer) => {
      seen += text.length
      if (seen >= steps) resolve()
    })
    child.on('close', () => resolve())
  })
  await new Promise((resolve) => setTimeout(resolve, milliseconds))
  child.kill('SIGKILL')
  const [, signal] = await ended
  return signal === 'SIGKILL'
}

describe('fine-tuning and then GRPO on concurrent rollouts of two turns', () => {
  it(`killed ${KILLS} times at random moments and resumed ends with the digest of one that was never killed`, async () => {
    const untouched = await runToItsEnd(join(directory, 'untouched'))
    const killed = join(directory, 'killed')
    const random = seededRandom('moments')
    let kills = 0
    for (let attempt = 0; attempt < KILLS; attempt++) {
      const child = spawn(process.execPath, [program, killed, ...STEPS], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      const steps = random.integer(0, 4)
      // Without a step to wait for the moment lies in the start of the process, where the lock is taken and the models are loaded.
      if (await killAfter(child, steps, random.next() * (steps === 0 ? 600 : 15))) kills++
    }
    expect(kills).toBe(KILLS)
    expect(await runToItsEnd(killed)).toBe(untouched)
    expect(await runDigest(killed)).toBe(untouched)
  }, 240_000)
})
