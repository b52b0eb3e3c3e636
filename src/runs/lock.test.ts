import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
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
    expect(await readdir(directory)).toEqual([])
  })

  it('is refused to the process that has it', async () => {
    const lock = await takeLock(directory)
    await expect(takeLock(directory)).rejects.toThrow('in use by this process')
    await lock.release()
  })

  it('is taken over where its process id was given to another process since', async () => {
    const lock = await takeLock(directory)
    const path = join(directory, 'lock')
    const held = JSON.parse(await readFile(path, 'utf8'))
    await writeFile(path, JSON.stringify({ ...held, started: '1' }))
    await expect(lock.check()).rejects.toThrow("no longer this process's")
    await (await takeLock(directory)).release()
  })

  it('is taken over after the machine was started again, and where it cannot be read', async () => {
    const path = join(directory, 'lock')
    await writeFile(path, JSON.stringify({ pid: 1, started: '1', host: hostname(), boot: 'before' }))
    await (await takeLock(directory)).release()
    await writeFile(path, '{"pid": ')
    await (await takeLock(directory)).release()
  })

  it('of another machine is refused with what to remove', async () => {
    await writeFile(
      join(directory, 'lock'),
      JSON.stringify({ pid: 12, started: '1', host: 'elsewhere', boot: 'x' }),
    )
    await expect(takeLock(directory)).rejects.toThrow(
      `in use by process 12 on elsewhere. If it no longer runs there, remove ${join(directory, 'lock')}`,
    )
  })

  it('is taken by one of many that find a stale one', async () => {
    await writeFile(join(directory, 'lock'), 'stale')
    const taken = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(directory)))
    expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
})
