import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { RunError } from './run-error.ts'

interface Holder {
  pid: number
  /** When the process began, as the system tells it: a pid that was given out again has another. */
  started: string
  host: string
  /** Changes when the machine starts again. */
  boot: string
}

export interface Lock {
  /** Throws where another process has taken the lock. */
  check(): Promise<void>
  release(): Promise<void>
}

/**
 * Takes a run's directory for this process. The lock of a process that has died (kill -9, power cut) is taken over; that of a
 * living one is an error that names it.
 */
export async function takeLock(directory: string): Promise<Lock> {
  const path = join(directory, 'lock')
  const own = JSON.stringify(thisProcess())
  const prepared = `${path}.${process.pid}.${counter++}.tmp`
  await writeFile(prepared, own)
  try {
    while (!(await linked(prepared, path))) {
      const text = await readOrNothing(path)
      if (text === undefined) continue
      const holder = parseHolder(text)
      if (holder && mayLive(holder)) throw heldBy(holder, directory, path)
      await removeStale(path, text)
    }
  } finally {
    await rm(prepared, { force: true })
  }
  return {
    async check() {
      if ((await readOrNothing(path)) !== own)
        throw new RunError(`${path} is no longer this process's: another process has taken ${directory} over`)
    },
    async release() {
      if ((await readOrNothing(path)) === own) await rm(path, { force: true })
    },
  }
}

let counter = 0

/** A hard link appears with all of its content, and only where the name is free. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Renamed before it is removed, so that of two that find it stale one alone takes it away. */
async function removeStale(path: string, text: string): Promise<void> {
  const aside = `${path}.${process.pid}.stale.tmp`
  try {
    await rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  // Somebody was faster, and this was their new lock.
  if ((await readOrNothing(aside)) !== text) await linked(aside, path)
  await rm(aside, { force: true })
}

function thisProcess(): Holder {
  return {
    pid: process.pid,
    started: startOf(process.pid) ?? 'unknown',
    host: hostname(),
    boot: bootId(),
  }
}

/** Whether the holder could still be running: on another machine nobody here can tell. */
function mayLive({ pid, started, host, boot }: Holder): boolean {
  if (host !== hostname()) return true
  if (boot !== bootId()) return false
  return startOf(pid) === started
}

/** Undefined where no such process lives. */
function startOf(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // The name in parentheses may hold spaces; after it come state (1st), ..., start time (20th).
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return fields[0] === 'Z' ? undefined : fields[19]
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    return undefined
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return 'unknown'
  }
}

function heldBy({ pid, host }: Holder, directory: string, path: string): RunError {
  const where = host === hostname() ? '' : ` on ${host}`
  const mend =
    host === hostname()
      ? 'Wait for it, or end it (kill -INT lets it save a checkpoint)'
      : `If it no longer runs there, remove ${path}`
  return new RunError(
    `${directory} is in use by ${pid === process.pid && !where ? 'this process' : `process ${pid}${where}`}. ${mend}`,
  )
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, started, host, boot } = JSON.parse(text) as Partial<Holder>
    if (typeof pid === 'number' && typeof host === 'string')
      return { pid, started: String(started), host, boot: String(boot) }
  } catch {
    // Not written by this library; as good as none.
  }
  return undefined
}

async function readOrNothing(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
