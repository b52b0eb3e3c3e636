import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeFolder } from '../../files/index.ts'
import type { OnProgress } from './progress.ts'
import { ResolveError } from './resolve-error.ts'

/** A digest as the hub gives it: SHA-256 of the content for large files, git's blob id for others. */
export type Digest = { sha256: string } | { gitBlob: string }

export interface RemoteFile {
  name: string
  size: number
  digest: Digest
  /** The content from a byte onwards. */
  stream: (from: number) => Promise<AsyncIterable<Uint8Array>>
}

/**
 * Receives a file into `path` by way of `path.part`, from which a later call goes on. The digest is checked before the file gets its
 * name; a resumed part whose digest is wrong is fetched once more from the start. Errors: a digest or size that differs.
 */
export async function receiveFile(file: RemoteFile, path: string, onProgress: OnProgress): Promise<void> {
  const part = `${path}.part`
  await makeFolder(dirname(path))
  const resumed = await partialSize(part, file.size)
  let problem = await receive(file, part, resumed, onProgress)
  if (problem !== undefined && resumed > 0) {
    onProgress({
      kind: 'notice',
      message: `${file.name}: the part fetched earlier was not of this file; starting over`,
    })
    problem = await receive(file, part, 0, onProgress)
  }
  if (problem !== undefined)
    throw new ResolveError(`${file.name}: ${problem}; what was received has been removed`)
  await rename(part, path)
}

/** Whether a file that was received is still what it was. */
export async function isWhole(file: Pick<RemoteFile, 'size' | 'digest'>, path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  if (found?.size !== file.size) return false
  const hash = digestHash(file)
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex') === expectedDigest(file)
}

async function partialSize(part: string, size: number): Promise<number> {
  const found = await stat(part).catch(() => undefined)
  return found && found.size <= size ? found.size : 0
}

/** What is wrong with the whole received, if anything; the part is then removed. A broken connection throws and keeps it. */
async function receive(
  file: RemoteFile,
  part: string,
  from: number,
  onProgress: OnProgress,
): Promise<string | undefined> {
  const hash = digestHash(file)
  if (from > 0) for await (const chunk of createReadStream(part, { end: from - 1 })) hash.update(chunk)
  const handle = await open(part, from > 0 ? 'a' : 'w')
  let received = from
  try {
    if (received < file.size) {
      for await (const chunk of await file.stream(from)) {
        received += chunk.length
        if (received > file.size) break
        hash.update(chunk)
        await writeAll(handle, chunk)
        onProgress({ kind: 'bytes', file: file.name, received, total: file.size })
      }
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  if (received < file.size)
    throw new ResolveError(
      `${file.name}: the connection ended after ${received} of ${file.size} bytes; run again to go on from there`,
    )
  const expected = expectedDigest(file)
  const actual = hash.digest('hex')
  if (received === file.size && actual === expected) return undefined
  await rm(part, { force: true })
  return received > file.size
    ? `more than the ${file.size} bytes announced were sent`
    : `its digest is ${actual}, not ${expected}`
}

function expectedDigest({ digest }: Pick<RemoteFile, 'digest'>): string {
  return 'sha256' in digest ? digest.sha256 : digest.gitBlob
}

function digestHash(file: Pick<RemoteFile, 'size' | 'digest'>): Hash {
  return 'sha256' in file.digest ? createHash('sha256') : createHash('sha1').update(`blob ${file.size}\0`)
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length; ) written += (await handle.write(chunk, written)).bytesWritten
}
