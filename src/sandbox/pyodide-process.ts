import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { encodeFrame, readFrames } from './frames.ts'
import type { PoolWorker } from './pool.ts'
import { sibling } from './sibling.ts'

const pythonFolder = fileURLToPath(new URL('./python/', import.meta.url))
const maxFrameBytes = 2 ** 30

/** Megabytes of JavaScript heap: Pyodide's own objects, not Python's memory. */
const javascriptHeap = 256

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
  kill(): void
}

/** Starts a locked-down child. Rejects when Pyodide does not load in a minute. */
export async function startPyodideProcess(memoryBytes: number): Promise<PyodideProcess> {
  const folder = pyodideFolder()
  if (!folder) throw new Error('the pyodide package is not installed')
  const program = fileURLToPath(sibling(import.meta.url, 'pyodide-child'))
  const manifest = fileURLToPath(new URL('../../package.json', import.meta.url))
  const readable = [folder, pythonFolder, program, ...(existsSync(manifest) ? [manifest] : [])]
  const flags = [
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    '--disallow-code-generation-from-strings',
    '--no-warnings',
    '--no-addons',
    `--max-old-space-size=${javascriptHeap}`,
  ]
  const child = spawn(process.execPath, [...flags, program, folder, pythonFolder, String(memoryBytes)], {
    env: {},
    cwd: folder,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  })
  let listener: ((message: ChildMessage) => void) | undefined
  let complaint = ''
  let gone: string | undefined
  const ready = Promise.withResolvers<void>()
  const results = child.stdio[3] as Readable
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
  child.on('close', (code, signal) => {
    ready.reject(
      new Error(`Pyodide did not start: ${complaint.trim().split('\n').at(-1) || (signal ?? code)}`),
    )
    gone = signal ?? `exit ${code}`
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
