import { fileError } from './workspace-errors.ts'

/** A file, directory or link of a workspace. Modes are Unix's permission bits; times are milliseconds since 1970. */
export type Entry =
  | { type: 'file'; content: Uint8Array; mode: number; modified: number; id: number }
  | {
      type: 'directory'
      entries: Map<string, Entry>
      mode: number
      modified: number
      id: number
      owner: symbol
    }
  | { type: 'link'; target: string; mode: number; modified: number; id: number }

export type Directory = Extract<Entry, { type: 'directory' }>

/** A frozen state that a workspace can go back to, any number of times. */
export interface Snapshot {
  readonly root: Directory
  readonly bytes: number
  readonly count: number
}

export interface WorkspaceLimits {
  /** Bytes of all files together. */
  bytes: number
  /** Files, directories and links together. */
  entries: number
}

const linkDepth = 40
let nextId = 1

/**
 * A file tree in memory. Paths are absolute, `/` is the workspace itself, and no path or link leads out of it.
 * `fork` and `snapshot` take constant time: both sides share the tree and copy a directory when they first change it.
 * Errors carry Node's codes (`ENOENT`, `EEXIST`, `ENOSPC`, ...).
 */
export interface Workspace {
  read(path: string): Uint8Array
  write(path: string, content: Uint8Array | string, mode?: number): void
  makeDirectory(path: string, recursive?: boolean): void
  list(path: string): Array<{ name: string; type: Entry['type'] }>
  /** What stands at the path; `follow` is about a link in the last place. */
  stat(path: string, follow?: boolean): Entry
  exists(path: string): boolean
  remove(path: string, options?: { recursive?: boolean; force?: boolean }): void
  move(from: string, to: string): void
  link(target: string, path: string): void
  readLink(path: string): string
  change(path: string, change: { mode?: number; modified?: number }): void
  /** The path with every link followed. */
  realPath(path: string): string
  /** Every file by its path without the leading slash. */
  files(): Map<string, Uint8Array>
  /** Every path, directories and links included. */
  paths(): string[]
  fork(): Workspace
  snapshot(): Snapshot
  restore(snapshot: Snapshot): void
}

const defaultWorkspaceLimits: WorkspaceLimits = { bytes: 512 * 2 ** 20, entries: 200_000 }

export function emptySnapshot(): Snapshot {
  return { root: newDirectory(Symbol('empty')), bytes: 0, count: 1 }
}

export function createWorkspace(
  from: Snapshot = emptySnapshot(),
  limits: WorkspaceLimits = defaultWorkspaceLimits,
): Workspace {
  let owner = Symbol('workspace')
  let { root, bytes, count } = from

  const own = (directory: Directory): Directory =>
    directory.owner === owner ? directory : { ...directory, entries: new Map(directory.entries), owner }

  /** The directories from the root to the path's parent, the last name, and what stands there. */
  const locate = (path: string, follow: boolean, action: string) => {
    let pending = parts(path)
    let names: string[] = []
    let links = 0
    let entry: Entry = root
    while (pending.length > 0) {
      const [name, ...rest] = pending as [string, ...string[]]
      pending = rest
      if (name === '..') {
        names = names.slice(0, -1)
        entry = at(names)!
        continue
      }
      if (entry.type !== 'directory') throw fileError('ENOTDIR', action, path)
      const child: Entry | undefined = entry.entries.get(name)
      if (child?.type === 'link' && (follow || pending.length > 0)) {
        if (++links > linkDepth) throw fileError('ELOOP', action, path)
        if (child.target.startsWith('/')) {
          names = []
          entry = root
        }
        pending = [...parts(child.target), ...pending]
        continue
      }
      names.push(name)
      if (!child) {
        if (pending.length > 0) throw fileError('ENOENT', action, path)
        return { names, entry: undefined }
      }
      entry = child
    }
    return { names, entry }
  }

  const at = (names: string[]): Entry | undefined => {
    let entry: Entry | undefined = root
    for (const name of names) entry = entry?.type === 'directory' ? entry.entries.get(name) : undefined
    return entry
  }

  const present = (path: string, follow: boolean, action: string) => {
    const { names, entry } = locate(path, follow, action)
    if (!entry) throw fileError('ENOENT', action, path)
    return { names, entry }
  }

  /** Puts an entry at a place whose parent exists, or takes it away; copies the directories on the way once. */
  const put = (names: string[], entry: Entry | undefined) => {
    const name = names.at(-1)
    if (name === undefined) throw fileError('EPERM', 'replace', '/')
    root = own(root)
    let directory = root
    for (const step of names.slice(0, -1)) {
      const child = own(directory.entries.get(step) as Directory)
      directory.entries.set(step, child)
      directory = child
    }
    directory.modified = Date.now()
    if (entry) directory.entries.set(name, entry)
    else directory.entries.delete(name)
  }

  const charge = (moreBytes: number, more: number, action: string, path: string) => {
    if (bytes + moreBytes > limits.bytes || count + more > limits.entries)
      throw fileError('ENOSPC', action, path)
    bytes += moreBytes
    count += more
  }

  const workspace: Workspace = {
    read(path) {
      const { entry } = present(path, true, 'open')
      if (entry.type !== 'file') throw fileError('EISDIR', 'read', path)
      return entry.content
    },
    write(path, content, mode) {
      const { names, entry } = locate(path, true, 'open')
      if (entry && entry.type !== 'file') throw fileError('EISDIR', 'open', path)
      const data = typeof content === 'string' ? new TextEncoder().encode(content) : content.slice()
      charge(data.length - (entry?.content.length ?? 0), entry ? 0 : 1, 'write', path)
      const file = { type: 'file', content: data, modified: Date.now() } as const
      put(names, { ...file, mode: mode ?? entry?.mode ?? 0o644, id: entry?.id ?? nextId++ })
    },
    makeDirectory(path, recursive = false) {
      const { entry, names } = recursive ? deepest(path) : locate(path, true, 'mkdir')
      if (entry && !recursive) throw fileError('EEXIST', 'mkdir', path)
      if (entry && entry.type !== 'directory') throw fileError('EEXIST', 'mkdir', path)
      for (let depth = 1; depth <= names.length; depth++) {
        const place = names.slice(0, depth)
        if (at(place)) continue
        charge(0, 1, 'mkdir', path)
        put(place, newDirectory(owner))
      }
    },
    list(path) {
      const { entry } = present(path, true, 'scandir')
      if (entry.type !== 'directory') throw fileError('ENOTDIR', 'scandir', path)
      return [...entry.entries]
        .map(([name, { type }]) => ({ name, type }))
        .sort((a, b) => (a.name < b.name ? -1 : 1))
    },
    stat: (path, follow = true) => present(path, follow, 'stat').entry,
    exists(path) {
      try {
        return locate(path, true, 'access').entry !== undefined
      } catch {
        return false
      }
    },
    remove(path, { recursive = false, force = false } = {}) {
      const { names, entry } = locate(path, false, 'rm')
      if (!entry) {
        if (force) return
        throw fileError('ENOENT', 'rm', path)
      }
      if (entry.type === 'directory' && entry.entries.size > 0 && !recursive)
        throw fileError('ENOTEMPTY', 'rm', path)
      const weight = weigh(entry)
      put(names, undefined)
      charge(-weight.bytes, -weight.count, 'rm', path)
    },
    move(from, to) {
      const { names, entry } = present(from, false, 'rename')
      const target = locate(to, false, 'rename')
      if (names.join('/') === target.names.join('/')) return
      if (entry.type === 'directory' && `${target.names.join('/')}/`.startsWith(`${names.join('/')}/`)) {
        throw fileError('EINVAL', 'rename', to)
      }
      if (target.entry) workspace.remove(to, { recursive: false })
      put(names, undefined)
      put(target.names, entry)
    },
    link(target, path) {
      const { names, entry } = locate(path, false, 'symlink')
      if (entry) throw fileError('EEXIST', 'symlink', path)
      charge(0, 1, 'symlink', path)
      put(names, { type: 'link', target, mode: 0o777, modified: Date.now(), id: nextId++ })
    },
    readLink(path) {
      const { entry } = present(path, false, 'readlink')
      if (entry.type !== 'link') throw fileError('EINVAL', 'readlink', path)
      return entry.target
    },
    change(path, change) {
      const { names, entry } = present(path, true, 'chmod')
      if (names.length === 0) root = { ...own(root), ...change }
      else put(names, { ...entry, ...change })
    },
    realPath: (path) => `/${present(path, true, 'realpath').names.join('/')}`,
    files() {
      const found = new Map<string, Uint8Array>()
      walk(root, '', (path, entry) => {
        if (entry.type === 'file') found.set(path, entry.content)
      })
      return found
    },
    paths() {
      const found: string[] = []
      walk(root, '', (path) => found.push(`/${path}`))
      return found
    },
    fork: () => createWorkspace(workspace.snapshot(), limits),
    snapshot() {
      // From here on the tree belongs to nobody, so that each side copies what it changes.
      owner = Symbol('workspace')
      return { root, bytes, count }
    },
    restore(snapshot) {
      owner = Symbol('workspace')
      ;({ root, bytes, count } = snapshot)
    },
  }

  /** As `locate`, but for a path whose last directories may all be missing. */
  const deepest = (path: string) => {
    const wanted = parts(path)
    for (let have = wanted.length; have >= 0; have--) {
      const prefix = `/${wanted.slice(0, have).join('/')}`
      if (!workspace.exists(prefix)) continue
      const found = locate(prefix, true, 'mkdir')
      if (have < wanted.length && found.entry?.type !== 'directory') throw fileError('ENOTDIR', 'mkdir', path)
      return {
        names: [...found.names, ...wanted.slice(have)],
        entry: have === wanted.length ? found.entry : undefined,
      }
    }
    throw fileError('ENOENT', 'mkdir', path)
  }

  return workspace
}

function newDirectory(owner: symbol): Directory {
  return { type: 'directory', entries: new Map(), mode: 0o755, modified: Date.now(), id: nextId++, owner }
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

function walk(directory: Directory, prefix: string, visit: (path: string, entry: Entry) => void): void {
  for (const [name, entry] of directory.entries) {
    visit(prefix + name, entry)
    if (entry.type === 'directory') walk(entry, `${prefix}${name}/`, visit)
  }
}

function weigh(entry: Entry): { bytes: number; count: number } {
  if (entry.type !== 'directory') return { bytes: entry.type === 'file' ? entry.content.length : 0, count: 1 }
  const total = { bytes: 0, count: 1 }
  walk(entry, '', (_, inner) => {
    total.count++
    if (inner.type === 'file') total.bytes += inner.content.length
  })
  return total
}
