import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { namesIn } from './listings.ts'
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
 * Takes a run's directory for this process. Each process that wants it puts a claim of its own into `lock/` and then looks for others: of
 * two, at least the later one sees the other's, so never do both go on. Claims of processes that have died (kill -9, power cut)
 * are removed; that of a living one is an error that names it.
 */
export async function takeLock(directory: string): Promise<Lock> {
  const folder = join(directory, 'lock')
  await mkdir(folder, { recursive: true })
  for (let attempt = 1; ; attempt++) {
    const claim = await putClaim(folder)
    const { holder, rival } = await othersIn(folder, claim)
    if (!holder && !rival) {
      await writeFile(join(folder, claim + HELD), '')
      return lockOf(folder, claim, directory)
    }
    await removeClaim(folder, claim)
    if (holder) throw heldBy(holder, directory, folder)
    if (rival && attempt === ATTEMPTS) throw heldBy(rival, directory, folder)
    // Both stepped back; a wait of chance lets one come first.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * MILLISECONDS_BETWEEN * attempt))
  }
}

const HELD = '.held'
const UNFINISHED = '.tmp'
const ATTEMPTS = 20
const MILLISECONDS_BETWEEN = 10

function lockOf(folder: string, claim: string, directory: string): Lock {
  return {
    async check() {
      if (!(await namesIn(folder)).includes(claim))
        throw new RunError(
          `${join(folder, claim)} was removed: ${directory} may be in use by another process`,
        )
    },
    release: () => removeClaim(folder, claim),
  }
}

async function putClaim(folder: string): Promise<string> {
  const claim = `${process.pid}-${randomBytes(6).toString('hex')}`
  await writeFile(join(folder, claim + UNFINISHED), JSON.stringify(thisProcess()))
  await rename(join(folder, claim + UNFINISHED), join(folder, claim))
  return claim
}

async function removeClaim(folder: string, claim: string): Promise<void> {
  await rm(join(folder, claim + HELD), { force: true })
  await rm(join(folder, claim), { force: true })
}

/** A living process that has the lock, and one that is about to take it or to step back. */
async function othersIn(folder: string, own: string): Promise<{ holder?: Holder; rival?: Holder }> {
  const others: { holder?: Holder; rival?: Holder } = {}
  const names = await namesIn(folder)
  for (const name of names) {
    if (name === own || name.endsWith(HELD) || name.endsWith(UNFINISHED)) continue
    const text = await readOrNothing(join(folder, name))
    if (text === undefined) continue
    const claimant = parseHolder(text)
    if (!claimant || !mayLive(claimant)) await removeClaim(folder, name)
    else if (names.includes(name + HELD)) others.holder = claimant
    else others.rival = claimant
  }
  return others
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
      : `If it no longer runs there, remove the folder ${path}`
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
