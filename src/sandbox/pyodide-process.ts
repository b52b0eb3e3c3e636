import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { encodeFrame, readFrames } from './frames.ts'
import type { PoolWorker } from './pool.ts'
import { sibling } from './sibling.ts'

const pythonFolder = fileURLToPath(new URL('./python/', import.meta.url))
const maxFrameBytes = 2 ** 30

const pageBytes = 4096

/** Megabytes of JavaScript heap: Pyodide's own objects, not Python's memory. */
const javascriptHeap = 256

/** WebAssembly memory while the snapshot is made. */
const snapshotBytes = 256 * 2 ** 20

/** Where the pyodide package lies, or undefined when it is not installed. */
export function pyodideFolder(): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve('pyodide/package.json')) + sep
  } catch {
    return undefined
  }
}

export type ChildMessage =
  | { rpc: string }
  | { tested: boolean }
  | { result: unknown }
  | { exited: number }
  | { fatal: string }
  | { ended: string }

/** A process with one fresh Pyodide. It takes one job and is spent. */
export interface PyodideProcess extends PoolWorker {
  /** Starts the job. `onMessage` gets everything that it says, `ended` last. */
  start(
    job: object,
    onMessage: (message: ChildMessage) => void,
    onOutput: (stream: 1 | 2, text: Buffer) => void,
  ): void
  /** Answers the other side of a test. */
  send(text: string): void
  /** Resident memory in bytes; undefined where the system does not say (only Linux does). */
  residentBytes(): number | undefined
  kill(): void
}

let snapshot: Promise<string> | undefined

/**
 * The file with the memory of an interpreter that has just started, made once for this process and deleted with it.
 * Every run starts from it, in a fifth of the time that Pyodide takes to start.
 */
function snapshotFile(folder: string): Promise<string> {
  snapshot ??= (async () => {
    const child = spawnChild(folder, [], snapshotBytes)
    const [bytes, problem] = await Promise.all([buffer(child.stdout!), text(child.stderr!)])
    if (bytes.length === 0) throw new Error(`Pyodide did not start: ${problem.trim().split('\n').at(-1)}`)
    const place = mkdtempSync(join(tmpdir(), 'whetstone-pyodide-'))
    process.once('exit', () => rmSync(place, { recursive: true, force: true }))
    const file = join(place, 'snapshot')
    writeFileSync(file, bytes)
    return file
  })()
  snapshot.catch(() => {
    snapshot = undefined
  })
  return snapshot
}

/** A Node process that may read Pyodide, this room's Python and what is listed, and nothing else. */
function spawnChild(folder: string, extraFiles: string[], memoryBytes: number): ChildProcess {
  const program = fileURLToPath(sibling(import.meta.url, 'pyodide-child'))
  const manifest = fileURLToPath(new URL('../../package.json', import.meta.url))
  const readable = [folder, pythonFolder, program, ...extraFiles, ...(existsSync(manifest) ? [manifest] : [])]
  const flags = [
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    '--disallow-code-generation-from-strings',
    '--no-warnings',
    '--no-addons',
    `--max-old-space-size=${javascriptHeap}`,
  ]
  return spawn(
    process.execPath,
    [...flags, program, folder, pythonFolder, String(memoryBytes), ...extraFiles],
    {
      env: {},
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      // A process group of its own: Ctrl-C in the terminal is for who waits for the verdict, not for the program judged.
      detached: true,
    },
  )
}

/** Starts a locked-down child. Rejects when Pyodide does not load in a minute. The signal ends it at any time. */
export async function startPyodideProcess(memoryBytes: number, signal: AbortSignal): Promise<PyodideProcess> {
  const folder = pyodideFolder()
  if (!folder) throw new Error('the pyodide package is not installed')
  const child = spawnChild(
    folder,
    [await snapshotFile(folder)],
    memoryBytes,
  ) as ChildProcessWithoutNullStreams
  const kill = () => child.kill('SIGKILL')
  signal.addEventListener('abort', kill)
  if (signal.aborted) kill()
  let listener: ((message: ChildMessage) => void) | undefined
  let complaint = ''
  let gone: string | undefined
  const ready = Promise.withResolvers<void>()
  const results = child.stdio[3] as unknown as Readable
  const note = (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(-2000)
  }
  child.stderr.on('data', note)
  child.stdin.on('error', () => {})
  readFrames(
    results,
    maxFrameBytes,
    (message) => {
      if ((message as { ready?: boolean }).ready) ready.resolve()
      else listener?.(message as ChildMessage)
    },
    () => child.kill('SIGKILL'),
  )
  child.on('error', ready.reject)
  child.on('close', (code, ended) => {
    ready.reject(
      new Error(`Pyodide did not start: ${complaint.trim().split('\n').at(-1) || (ended ?? code)}`),
    )
    gone = ended ?? `exit ${code}`
    signal.removeEventListener('abort', kill)
    listener?.({ ended: gone })
  })
  const timer = setTimeout(() => {
    child.kill('SIGKILL')
    ready.reject(new Error('Pyodide did not load in 60 s'))
  }, 60_000)
  await ready.promise.finally(() => clearTimeout(timer))
  hold(child, false)

  return {
    start(job, onMessage, onOutput) {
      if (gone !== undefined) {
        onMessage({ ended: gone })
        return
      }
      hold(child, true)
      child.stderr.off('data', note)
      listener = onMessage
      child.stdout.on('data', (chunk: Buffer) => onOutput(1, chunk))
      child.stderr.on('data', (chunk: Buffer) => onOutput(2, chunk))
      child.stdin.write(encodeFrame(job))
    },
    send(text) {
      child.stdin.write(encodeFrame(JSON.parse(text)))
    },
    residentBytes() {
      try {
        return Number(readFileSync(`/proc/${child.pid}/statm`, 'utf8').split(' ')[1]) * pageBytes
      } catch {
        return undefined
      }
    },
    kill() {
      child.kill('SIGKILL')
    },
    settled: async () => false,
    async close() {
      child.kill('SIGKILL')
    },
  }
}

function hold(child: ChildProcess, keepsNodeAlive: boolean): void {
  for (const part of [child, ...child.stdio] as Array<{ ref?(): void; unref?(): void } | null>) {
    if (keepsNodeAlive) part?.ref?.()
    else part?.unref?.()
  }
}
