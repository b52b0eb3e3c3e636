import { open, readFile, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { makeFolder, systemWords } from '../../files/index.ts'
import { ResolveError } from './resolve-error.ts'

const POLL_MS = 200
/** A lock file without a process id is one whose owner died between making and filling it. */
const UNWRITTEN_MS = 10_000

/** Runs `work` while no other process runs it under the same lock file; a lock whose process has died is taken over. */
export async function withLock<T>(path: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  await makeFolder(dirname(path)).catch((error: unknown) => refuse(path, error))
  while (!(await acquire(path))) {
    if (await abandoned(path)) await rm(path, { force: true })
    else await wait(POLL_MS, undefined, signal && { signal })
  }
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

async function acquire(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.writeFile(String(process.pid))
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    return refuse(path, error)
  }
}

function refuse(path: string, error: unknown): never {
  throw new ResolveError(
    `the cache folder ${dirname(path)} cannot be written: ${systemWords(error)}. Set WHETSTONE_CACHE to a folder that can be written`,
  )
}

async function abandoned(path: string): Promise<boolean> {
  try {
    const owner = Number(await readFile(path, 'utf8'))
    if (!owner) return Date.now() - (await stat(path)).mtimeMs > UNWRITTEN_MS
    if (owner === process.pid) return false
    process.kill(owner, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
