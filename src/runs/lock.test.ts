import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { takeLock } from './lock.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-lock-'))
})
afterEach(() => rm(directory, { recursive: true }))

const program = `
  import { takeLock } from ${JSON.stringify(join(import.meta.dirname, 'lock.ts'))}
  await takeLock(process.argv[1])
  console.log('taken')
  setInterval(() => {}, 1000)`

async function holder() {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

describe("a run's lock", () => {
  it('is refused while another process has it, by its id, and taken over once that was killed', async () => {
    const child = await holder()
    await expect(takeLock(directory)).rejects.toThrow(
      `is in use by process ${child.pid}. Wait for it, or end it`,
    )
    child.kill('SIGKILL')
    await once(child, 'close')
    const lock = await takeLock(directory)
    await lock.check()
    await lock.release()
    expect(await readdir(join(directory, 'lock'))).toEqual([])
  })

  it('is refused to the process that has it', async () => {
    const lock = await takeLock(directory)
    await expect(takeLock(directory)).rejects.toThrow('in use by this process')
    await lock.release()
  })

  it('is taken over where its process id was given to another process since', async () => {
    await takeLock(directory)
    const claim = await claimPath()
    await writeFile(claim, JSON.stringify({ ...JSON.parse(await readFile(claim, 'utf8')), started: '1' }))
    await (await takeLock(directory)).release()
  })

  it('is taken over after the machine was started again, and where it cannot be read', async () => {
    await mkdir(join(directory, 'lock'))
    await writeFile(
      join(directory, 'lock', '1-a'),
      JSON.stringify({ pid: process.pid, started: '1', host: hostname(), boot: 'before' }),
    )
    await writeFile(join(directory, 'lock', '1-b'), '{"pid": ')
    await (await takeLock(directory)).release()
    expect(await readdir(join(directory, 'lock'))).toEqual([])
  })

  it('of another machine is refused with what to remove', async () => {
    await mkdir(join(directory, 'lock'))
    const elsewhere = { pid: 12, started: '1', host: 'elsewhere', boot: 'x' }
    await writeFile(join(directory, 'lock', '12-a'), JSON.stringify(elsewhere))
    await writeFile(join(directory, 'lock', '12-a.held'), '')
    await expect(takeLock(directory)).rejects.toThrow(
      `in use by process 12 on elsewhere. If it no longer runs there, remove the folder ${join(directory, 'lock')}`,
    )
  })

  it('is missed by who had it, once it was removed', async () => {
    const lock = await takeLock(directory)
    await rm(await claimPath())
    await expect(lock.check()).rejects.toThrow('was removed')
  })

  it('is had by at most one of many that ask at once, again and again', async () => {
    let [holders, most, taken] = [0, 0, 0]
    const attempt = async () => {
      for (let round = 0; round < 10; round++) {
        const lock = await takeLock(directory).catch(() => undefined)
        if (!lock) continue
        taken++
        most = Math.max(most, ++holders)
        await new Promise((resolve) => setTimeout(resolve, 1))
        holders--
        await lock.release()
      }
    }
    await Promise.all(Array.from({ length: 6 }, attempt))
    expect(most).toBe(1)
    expect(taken).toBeGreaterThan(5)
  })
})

async function claimPath(): Promise<string> {
  const [name] = await readdir(join(directory, 'lock'))
  return join(directory, 'lock', name as string)
}
