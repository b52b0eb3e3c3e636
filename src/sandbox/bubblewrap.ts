import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export interface SystemPython {
  version: string
  executable: string
  /** What the interpreter needs to start: its executable, standard library and shared libraries. */
  paths: string[]
}

/** Either a usable tool, or why not and what to do about it. */
export type Found<T> = { found: true; value: T } | { found: false; why: string; mend: string }

const libraryFolders = ['/usr/lib', '/usr/lib32', '/usr/lib64', '/lib', '/lib64']

const describePython = `
import json, os, sys, sysconfig
library = sysconfig.get_config_var('LIBDIR') or ''
shared = [os.path.join(library, n) for n in (os.listdir(library) if os.path.isdir(library) else []) if n.startswith('libpython')]
executable = os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable)
print(json.dumps({'version': '.'.join(map(str, sys.version_info[:3])), 'executable': executable,
  'paths': [executable, sysconfig.get_path('stdlib'), sysconfig.get_path('platstdlib'), *shared]}))
`

let python: Promise<Found<SystemPython>> | undefined
let bubblewrap: Promise<Found<string>> | undefined

/** The `python3` on the PATH, 3.9 or newer. */
export function findPython(): Promise<Found<SystemPython>> {
  python ??= execute('python3', ['-I', '-c', describePython], { timeout: 20_000 }).then(
    ({ stdout }): Found<SystemPython> => {
      const value = JSON.parse(stdout) as SystemPython
      const [major = 0, minor = 0] = value.version.split('.').map(Number)
      if (major < 3 || minor < 9) {
        return {
          found: false,
          why: `python3 is ${value.version}, 3.9 is needed`,
          mend: 'install Python 3.9 or newer',
        }
      }
      return { found: true, value }
    },
    (error: Error): Found<SystemPython> => ({
      found: false,
      why: `python3 does not run: ${firstLine(error)}`,
      mend: 'install Python 3.9 or newer (Debian and Ubuntu: apt-get install python3)',
    }),
  )
  return python
}

/** bubblewrap's version, once it has been seen to build a sandbox on this machine. */
export function findBubblewrap(): Promise<Found<string>> {
  bubblewrap ??= probeBubblewrap()
  return bubblewrap
}

async function probeBubblewrap(): Promise<Found<string>> {
  const install = 'install bubblewrap 0.6 or newer (Debian and Ubuntu: apt-get install bubblewrap)'
  if (process.platform !== 'linux') return { found: false, why: 'bubblewrap needs Linux', mend: 'use Linux' }
  try {
    const { stdout } = await execute('bwrap', ['--version'], { timeout: 10_000 })
    const flags = [
      ...isolation(),
      '--size',
      '65536',
      '--perms',
      '1777',
      '--tmpfs',
      '/tmp',
      '--ro-bind',
      '/',
      '/mnt',
    ]
    await execute('bwrap', [...flags, '--ro-bind', '/usr', '/usr', ...systemLinks(), '/usr/bin/true'], {
      timeout: 10_000,
    })
    return { found: true, value: stdout.trim().replace(/^bubblewrap /, '') }
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    return {
      found: false,
      why: missing
        ? 'bwrap is not on the PATH'
        : `bwrap cannot build a sandbox: ${firstLine(error as Error)}`,
      mend: missing
        ? install
        : `${install}, and allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces > 0, kernel.apparmor_restrict_unprivileged_userns=0)`,
    }
  }
}

function firstLine(error: Error): string {
  const { stderr } = error as Error & { stderr?: string }
  return (stderr?.trim() || error.message).split('\n').at(-1) ?? ''
}

/** Whether runs get users of their own: root can hand them out, anybody else shares one inside a user namespace. */
export const runsAsRoot = process.getuid?.() === 0

/**
 * The flags that isolate: no network, own processes, IPC and host name, no environment, no rights, nothing of the
 * host's files. Root keeps out of user namespaces so that each run can have a user id of its own, which makes the
 * process cap binding and separates a run from what watches it.
 */
export function isolation(): string[] {
  const namespaces = [
    '--unshare-pid',
    '--unshare-net',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
  ]
  const user = runsAsRoot
    ? ['--cap-drop', 'ALL', '--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID', '--cap-add', 'CAP_KILL']
    : ['--unshare-user', '--uid', '65534', '--gid', '65534', '--cap-drop', 'ALL']
  return [...namespaces, ...user, '--hostname', 'sandbox', '--die-with-parent', '--new-session', '--clearenv']
}

/** `/lib` and its kin where the host has them as links into `/usr`. */
export function systemLinks(): string[] {
  return ['lib', 'lib32', 'lib64', 'bin', 'sbin']
    .filter((name) => existsSync(`/${name}`))
    .flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`])
}

/** The read-only mounts that a Python interpreter needs, at the paths that it has on the host. */
export function pythonMounts(found: SystemPython): string[] {
  const covered = (path: string) => libraryFolders.some((folder) => path.startsWith(`${folder}/`))
  const own = found.paths.filter((path) => !covered(path))
  // Else a private folder of the host on the way (`/root`) keeps the run's user from its standard library.
  const folders = own.flatMap(ancestors).flatMap((folder) => ['--perms', '0755', '--dir', folder])
  const mounts = [...new Set([...libraryFolders.filter(existsSync), ...own])]
  return [...folders, ...mounts.flatMap((path) => ['--ro-bind', path, path])]
}

/** The folders above a path, outermost first, without `/`. */
function ancestors(path: string): string[] {
  const parts = path.split('/').slice(1, -1)
  return parts.map((_, i) => `/${parts.slice(0, i + 1).join('/')}`)
}
