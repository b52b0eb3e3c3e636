import type { PromiseFsClient } from 'isomorphic-git'
import { Bash } from 'just-bash'
import { completeLimits } from './limits.ts'
import type { Sandbox } from './sandbox.ts'
import type { Files, Limits, RunRequest, RunResult } from './types.ts'
import { createWorkspace, type Snapshot, type Workspace } from './workspace.ts'
import { bashFileSystem } from './workspace-bash.ts'
import { gitFileSystem } from './workspace-git.ts'

/** One or more runs over a workspace that lives in memory. */
export interface Session {
  readonly workspace: Workspace
  /** Runs a program with the workspace's files beside it and keeps what it writes, changes and deletes there. */
  run(request: Omit<RunRequest, 'files' | 'collectFiles'>): Promise<RunResult>
  /** Runs a line of shell by just-bash on the workspace, starting in its root. There is no network and no interpreter. */
  shell(command: string, options?: { stdin?: string; limits?: Partial<Limits> }): Promise<RunResult>
  /** The workspace for isomorphic-git: `git.commit({ fs: session.git, dir: '/', ... })`. */
  readonly git: PromiseFsClient
  /** A session of its own over the same files: constant time, changes on either side are not seen on the other. */
  fork(): Session
  snapshot(): Snapshot
  restore(snapshot: Snapshot): void
}

/** A session over the sandbox, starting with the given files. */
export function createSession(sandbox: Pick<Sandbox, 'run'>, files: Files = {}): Session {
  const workspace = createWorkspace()
  for (const [path, content] of Object.entries(files)) writeAt(workspace, path, content)
  return sessionOver(sandbox, workspace)
}

function sessionOver(sandbox: Pick<Sandbox, 'run'>, workspace: Workspace): Session {
  const fs = bashFileSystem(workspace)
  return {
    workspace,
    git: gitFileSystem(workspace),
    async run(request) {
      const before = [...workspace.files()].filter(([path]) => !isGit(path))
      const result = await sandbox.run({ ...request, files: Object.fromEntries(before), collectFiles: true })
      if (result.files) takeBack(workspace, new Map(before), result.files, new Set(result.leftOut))
      return result
    },
    async shell(command, options = {}) {
      const limits = completeLimits(options.limits)
      const started = performance.now()
      const bash = new Bash({ fs, cwd: '/', python: false, javascript: false, env: { HOME: '/' } })
      const signal = AbortSignal.timeout(limits.milliseconds)
      const finish = (exit: number | null, stdout: string, stderr: string): RunResult => {
        const cut = (text: string) => text.slice(0, limits.outputBytes)
        const result: RunResult = {
          exit,
          stdout: cut(stdout),
          stderr: cut(stderr),
          milliseconds: performance.now() - started,
          stopped: exit === 0 ? 'ok' : 'exception',
        }
        if (signal.aborted) {
          return {
            ...result,
            exit: null,
            stopped: 'timeout',
            reason: `still running after ${limits.milliseconds} ms`,
          }
        }
        if (Math.max(stdout.length, stderr.length) > limits.outputBytes) {
          return {
            ...result,
            exit: null,
            stopped: 'output',
            reason: `more than ${limits.outputBytes} bytes of output`,
          }
        }
        if (exit !== 0) result.reason = stderr.trim().split('\n').at(-1) || `exit status ${exit}`
        return result
      }
      try {
        const { stdout, stderr, exitCode } = await bash.exec(command, { signal, stdin: options.stdin ?? '' })
        return finish(exitCode, stdout, stderr)
      } catch (error) {
        return finish(1, '', (error as Error).message)
      }
    },
    fork: () => sessionOver(sandbox, workspace.fork()),
    snapshot: () => workspace.snapshot(),
    restore: (snapshot) => workspace.restore(snapshot),
  }
}

function isGit(path: string): boolean {
  return path === '.git' || path.startsWith('.git/')
}

function writeAt(workspace: Workspace, path: string, content: Uint8Array | string): void {
  const folder = path.split('/').slice(0, -1).join('/')
  if (folder) workspace.makeDirectory(`/${folder}`, true)
  workspace.write(`/${path}`, content)
}

/** Brings what a program left behind into the workspace. What could not be read back is left as it was. */
function takeBack(
  workspace: Workspace,
  before: Map<string, Uint8Array>,
  after: Record<string, Uint8Array>,
  unread: Set<string>,
): void {
  for (const [path, content] of Object.entries(after)) {
    const old = before.get(path)
    if (!old || Buffer.compare(old, content) !== 0) writeAt(workspace, path, content)
  }
  for (const path of before.keys()) {
    if (!Object.hasOwn(after, path) && !unread.has(path)) workspace.remove(`/${path}`, { force: true })
  }
}
