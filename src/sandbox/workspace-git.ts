import type { PromiseFsClient } from 'isomorphic-git'
import type { Entry, Workspace } from './workspace.ts'

/** The workspace as isomorphic-git's file system: pass it as `fs` to any of its commands. */
export function gitFileSystem(workspace: Workspace): PromiseFsClient {
  return {
    promises: {
      async readFile(path: string, options?: { encoding?: string } | string) {
        const content = workspace.read(path)
        const encoding = typeof options === 'string' ? options : options?.encoding
        return encoding ? Buffer.from(content).toString(encoding as BufferEncoding) : Buffer.from(content)
      },
      async writeFile(path: string, content: Uint8Array | string, options?: { mode?: number }) {
        workspace.write(path, content, options?.mode)
      },
      unlink: async (path: string) => workspace.remove(path),
      readdir: async (path: string) => workspace.list(path).map(({ name }) => name),
      mkdir: async (path: string) => workspace.makeDirectory(path),
      rmdir: async (path: string) => workspace.remove(path),
      stat: async (path: string) => toStat(workspace.stat(path)),
      lstat: async (path: string) => toStat(workspace.stat(path, false)),
      readlink: async (path: string) => workspace.readLink(path),
      symlink: async (target: string, path: string) => workspace.link(target, path),
      chmod: async (path: string, mode: number) => workspace.change(path, { mode }),
    },
  }
}

const typeBits = { file: 0o100000, directory: 0o040000, link: 0o120000 }

function toStat(entry: Entry) {
  const size = entry.type === 'file' ? entry.content.length : 0
  return {
    type: entry.type === 'directory' ? 'dir' : entry.type === 'link' ? 'symlink' : 'file',
    mode: typeBits[entry.type] | entry.mode,
    size,
    ino: entry.id,
    dev: 0,
    uid: 0,
    gid: 0,
    mtimeMs: entry.modified,
    ctimeMs: entry.modified,
    isFile: () => entry.type === 'file',
    isDirectory: () => entry.type === 'directory',
    isSymbolicLink: () => entry.type === 'link',
  }
}
