import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isolation, pythonMounts, runsAsRoot, type SystemPython } from './bubblewrap.ts'
import { encodeFrame, readFrames } from './frames.ts'
import type { PoolWorker } from './pool.ts'
import type { Limits } from './types.ts'

const scripts = fileURLToPath(new URL('./python', import.meta.url))

/** The answer may carry stdout, stderr and the workspace, each escaped in JSON. */
const maxFrameBytes = 2 ** 30

/** The deadline is enforced inside the sandbox; this much later a sandbox that did not answer is killed whole. */
const graceMilliseconds = 3000

const tmpBytes = 16 * 2 ** 20

export interface PythonWorker extends PoolWorker {
  /** Sends one run; `hidden` reaches the judge alone. Rejects when the sandbox dies or does not answer. */
  send(limits: Limits, payload: object, hidden?: object): Promise<unknown>
  readonly workspaceBytes: number
}

let started = 0

/** Users for one sandbox's program and judge that no other sandbox of this machine uses at the same time. */
function identities(): { solution?: number; judge?: number } {
  if (!runsAsRoot) return {}
  const base = 1_000_000 + process.pid * 64 + (started++ % 32) * 2
  return { solution: base, judge: base + 1 }
}

/** Starts the warm interpreter inside bubblewrap. Rejects with bubblewrap's own words when it cannot. */
export async function startPythonWorker(python: SystemPython, workspaceBytes: number): Promise<PythonWorker> {
  const flags = [
    ...isolation(),
    '--as-pid-1',
    ...pythonMounts(python),
    ...['--proc', '/proc', '--dev', '/dev', '--ro-bind', scripts, '/sandbox'],
    ...['--perms', '1777', '--size', String(workspaceBytes), '--tmpfs', '/workspace'],
    ...['--perms', '1777', '--size', String(tmpBytes), '--tmpfs', '/tmp'],
    ...['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', '/'],
    ...['--setenv', 'HOME', '/workspace', '--setenv', 'LANG', 'C.UTF-8', '--setenv', 'PYTHONHASHSEED', '0'],
    ...['--setenv', 'PATH', '/usr/bin:/bin'],
    python.executable,
    ...['-s', '-S', '-B', '-X', 'utf8', '/sandbox/supervisor.py', JSON.stringify(identities())],
  ]
  const child = spawn('bwrap', flags, {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C in the terminal is for who waits for the verdict, not for the program judged.
    detached: true,
    env: { PATH: process.env.PATH ?? '' },
  })
  let complaint = ''
  let waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void } | undefined
  let dead: Error | undefined
  let ready = Promise.withResolvers<boolean>()

  const hold = (keepsNodeAlive: boolean) => {
    for (const part of [child, child.stdin, child.stdout, child.stderr] as Array<{
      ref?(): void
      unref?(): void
    }>) {
      if (keepsNodeAlive) part.ref?.()
      else part.unref?.()
    }
  }
  const fail = (error: Error) => {
    dead ??= error
    child.kill('SIGKILL')
    waiting?.reject(error)
    waiting = undefined
    ready.resolve(false)
  }
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(-2000)
  })
  child.stdin.on('error', () => {})
  child.on('error', fail)
  child.on('close', (code, signal) => {
    fail(
      new Error(
        `the Python sandbox ended (${signal ?? `exit ${code}`}): ${complaint.trim() || 'no message'}`,
      ),
    )
  })
  readFrames(
    child.stdout,
    maxFrameBytes,
    (message) => {
      const frame = message as { ready?: boolean; result?: unknown }
      if (frame.ready) {
        ready.resolve(true)
        hold(false)
      } else {
        waiting?.resolve(frame.result)
        waiting = undefined
      }
    },
    fail,
  )
  const startTimer = setTimeout(() => fail(new Error('the Python sandbox did not start in 20 s')), 20_000)
  const up = await ready.promise
  clearTimeout(startTimer)
  if (!up) throw dead ?? new Error('the Python sandbox did not start')

  return {
    workspaceBytes,
    async send(limits, payload, hidden) {
      if (dead) throw dead
      hold(true)
      ready = Promise.withResolvers<boolean>()
      const answer = Promise.withResolvers<unknown>()
      waiting = answer
      const timer = setTimeout(
        () => fail(new Error('the Python sandbox did not answer after its deadline')),
        limits.milliseconds + graceMilliseconds,
      )
      const secret = hidden ? Buffer.from(JSON.stringify(hidden)) : Buffer.alloc(0)
      const open = Buffer.from(JSON.stringify(payload))
      child.stdin.write(
        Buffer.concat([encodeFrame({ hidden: secret.length, payload: open.length, limits }), secret, open]),
      )
      return answer.promise.finally(() => clearTimeout(timer))
    },
    async settled() {
      const timer = setTimeout(() => fail(new Error('the Python sandbox did not clean up in 10 s')), 10_000)
      return ready.promise.finally(() => clearTimeout(timer))
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return
      hold(true)
      const closed = once(child, 'close')
      child.kill('SIGKILL')
      await closed
    },
  }
}
