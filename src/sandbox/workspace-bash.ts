import type { IFileSystem } from 'just-bash'
import type { Entry, Workspace } from './workspace.ts'

/** The workspace as just-bash's file system. */
export function bashFileSystem(workspace: Workspace): IFileSystem {
  const encode = (
    content: string | Uint8Array,
    options?: { encoding?: string } | string,
  ): Uint8Array | string => {
    if (typeof content !== 'string') return content
    const encoding = (typeof options === 'string' ? options : options?.encoding) ?? 'utf8'
    return encoding === 'utf8' || encoding === 'utf-8'
      ? content
      : Buffer.from(content, encoding as BufferEncoding)
  }
  const copy = (from: string, to: string, recursive: boolean): void => {
    const entry = workspace.stat(from, false)
    if (entry.type === 'file') workspace.write(to, entry.content, entry.mode)
    else if (entry.type === 'link') workspace.link(entry.target, to)
    else if (!recursive)
      throw Object.assign(new Error(`EISDIR: is a directory, cp '${from}'`), { code: 'EISDIR' })
    else {
      workspace.makeDirectory(to, true)
      for (const { name } of workspace.list(from)) copy(`${from}/${name}`, `${to}/${name}`, true)
    }
  }
  return {
    async readFile(path, options) {
      const encoding = (typeof options === 'string' ? options : options?.encoding) ?? 'utf8'
      return Buffer.from(workspace.read(path)).toString(encoding as BufferEncoding)
    },
    readFileBuffer: async (path) => workspace.read(path).slice(),
    writeFile: async (path, content, options) => workspace.write(path, encode(content, options)),
    async appendFile(path, content, options) {
      const before = workspace.exists(path) ? workspace.read(path) : new Uint8Array()
      workspace.write(path, Buffer.concat([before, Buffer.from(encode(content, options) as Uint8Array)]))
    },
    exists: async (path) => workspace.exists(path),
    stat: async (path) => toStat(workspace.stat(path)),
    lstat: async (path) => toStat(workspace.stat(path, false)),
    mkdir: async (path, options) => workspace.makeDirectory(path, options?.recursive ?? false),
    readdir: async (path) => workspace.list(path).map(({ name }) => name),
    async readdirWithFileTypes(path) {
      return workspace.list(path).map(({ name, type }) => ({ name, ...kinds(type) }))
    },
    rm: async (path, options) => workspace.remove(path, options),
    cp: async (from, to, options) => copy(from, to, options?.recursive ?? false),
    mv: async (from, to) => workspace.move(from, to),
    resolvePath: (base, path) => resolve(base, path),
    getAllPaths: () => workspace.paths(),
    chmod: async (path, mode) => workspace.change(path, { mode }),
    symlink: async (target, path) => workspace.link(target, path),
    async link(existing, path) {
      workspace.write(path, workspace.read(existing), workspace.stat(existing).mode)
    },
    readlink: async (path) => workspace.readLink(path),
    realpath: async (path) => workspace.realPath(path),
    utimes: async (path, _accessed, modified) => workspace.change(path, { modified: modified.getTime() }),
  }
}

function kinds(type: Entry['type']) {
  return { isFile: type === 'file', isDirectory: type === 'directory', isSymbolicLink: type === 'link' }
}

function toStat(entry: Entry) {
  const size = entry.type === 'file' ? entry.content.length : entry.type === 'link' ? entry.target.length : 0
  return {
    ...kinds(entry.type),
    mode: entry.mode,
    size,
    mtime: new Date(entry.modified),
    ino: entry.id,
    dev: 0,
  }
}

function resolve(base: string, path: string): string {
  const names: string[] = []
  for (const part of (path.startsWith('/') ? path : `${base}/${path}`).split('/')) {
    if (part === '..') names.pop()
    else if (part !== '' && part !== '.') names.push(part)
  }
  return `/${names.join('/')}`
}
