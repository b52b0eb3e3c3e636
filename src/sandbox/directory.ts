import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { findBubblewrap, systemLinks } from './bubblewrap.ts'
import { completeLimits } from './limits.ts'
import { refusal } from './requests.ts'
import type { Limits, RunResult } from './types.ts'

export interface CommandRequest {
  /** The program and its arguments; there is no shell unless it is one. */
  command: string[]
  stdin?: string
  environment?: Record<string, string>
  limits?: Partial<Limits>
}

export interface DirectoryOptions {
  /** Absolute paths of the host that commands may read besides `/usr`: a toolchain, say. */
  readable?: string[]
  /** Whether commands may change the directory; they may unless this is false. */
  writable?: boolean
}

export interface DirectorySandbox {
  /** Runs a command with the directory at `/workspace`, its working directory. */
  run(request: CommandRequest): Promise<RunResult>
}

const prlimit = '/usr/bin/prlimit'

/**
 * Commands over a real directory, for repositories that need the system's tools. They see that directory and the
 * host's `/usr`, and nothing else of its files; they have no network, and end with their deadline, children included.
 * Throws when the directory does not exist or bubblewrap does not work here: there is no weaker way to do this.
 *
 * `limits.processes` counts against the user's other processes, and does not bind where Node runs as root.
 */
export async function createDirectorySandbox(
  directory: string,
  options: DirectoryOptions = {},
): Promise<DirectorySandbox> {
  const bubblewrap = await findBubblewrap()
  if (!bubblewrap.found)
    throw new Error(`no real directory without bubblewrap: ${bubblewrap.why}; ${bubblewrap.mend}`)
  if (!existsSync(prlimit)) throw new Error(`${prlimit} is missing; install util-linux`)
  const root = await realpath(directory)
  if (!(await stat(root)).isDirectory()) throw new Error(`${directory} is not a directory`)
  const readable = options.readable ?? []
  for (const path of readable) if (!isAbsolute(path)) throw new Error(`readable path ${path} is not absolute`)
  const mounts = [
    ...['--ro-bind', '/usr', '/usr', ...systemLinks(), '--proc', '/proc', '--dev', '/dev'],
    ...['/etc/alternatives', '/etc/ld.so.cache'].flatMap((path) => ['--ro-bind-try', path, path]),
    ...readable.flatMap((path) => ['--ro-bind', path, path]),
    ...['--tmpfs', '/tmp', options.writable === false ? '--ro-bind' : '--bind', root, '/workspace'],
    ...['--remount-ro', '/', '--chdir', '/workspace'],
  ]

  return {
    run(request) {
      if (request.command.length === 0) return Promise.resolve(refusal('the command is empty'))
      const limits = completeLimits(request.limits)
      const environment = { PATH: '/usr/bin:/bin', HOME: '/tmp', LANG: 'C.UTF-8', ...request.environment }
      const flags = [
        ...[
          '--unshare-all',
          '--cap-drop',
          'ALL',
          '--hostname',
          'sandbox',
          '--die-with-parent',
          '--new-session',
        ],
        ...[
          '--clearenv',
          ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]),
        ],
        ...mounts,
        ...[
          prlimit,
          `--as=${limits.memoryBytes}`,
          `--fsize=${limits.fileBytes}`,
          '--core=0',
          '--nofile=1024',
        ],
        ...(limits.processes > 1 ? [`--nproc=${limits.processes}`] : []),
        ...['--', ...request.command],
      ]
      const child = spawn('bwrap', flags, {
        stdio: 'pipe',
        // A process group of its own: Ctrl-C in the terminal is for who waits for the verdict, not for the program judged.
        detached: true,
        env: { PATH: process.env.PATH ?? '' },
      })
      return collect(child, request.stdin ?? '', limits)
    },
  }
}

function collect(child: ChildProcess, stdin: string, limits: Limits): Promise<RunResult> {
  const started = performance.now()
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  let stopped: 'timeout' | 'output' | undefined
  const end = (why: 'timeout' | 'output') => {
    stopped ??= why
    child.kill('SIGKILL')
  }
  const timer = setTimeout(end, limits.milliseconds, 'timeout')
  for (const name of ['stdout', 'stderr'] as const) {
    let room = limits.outputBytes
    child[name]!.on('data', (chunk: Buffer) => {
      if (room > 0) output[name].push(chunk.subarray(0, room))
      room -= chunk.length
      if (room < 0) end('output')
    })
  }
  child.stdin!.on('error', () => {})
  child.stdin!.end(stdin)
  return new Promise((resolve) => {
    child.on('error', (error) => {
      clearTimeout(timer)
      resolve(refusal(`bwrap does not start: ${error.message}`))
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const stdout = Buffer.concat(output.stdout).toString('utf8')
      const stderr = Buffer.concat(output.stderr).toString('utf8')
      const rest = { stdout, stderr, milliseconds: performance.now() - started }
      if (stopped === 'timeout') {
        resolve({ exit: null, stopped, reason: `still running after ${limits.milliseconds} ms`, ...rest })
      } else if (stopped === 'output') {
        resolve({ exit: null, stopped, reason: `more than ${limits.outputBytes} bytes of output`, ...rest })
      } else if (signal !== null)
        resolve({ exit: null, stopped: 'killed', reason: `killed by ${signal}`, ...rest })
      else if (code === 0) resolve({ exit: 0, stopped: 'ok', ...rest })
      else {
        const reason = stderr.trim().split('\n').at(-1) || `exit status ${code}`
        resolve({ exit: code, stopped: 'exception', reason, ...rest })
      }
    })
  })
}
