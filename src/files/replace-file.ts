import { randomUUID } from 'node:crypto'
import { realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sync } from './sync.ts'

/**
 * Writes a file so that a reader, or a machine that lost power, sees the old content or all of the new: a temporary name beside
 * it, synced, renamed. Behind a link is the file that is meant (a link to nothing is replaced); what is no file (a pipe, a device) is
 * written to, not replaced. Where it rejects, the old content is there, or, if only the folder could not be synced, the new.
 */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const target = await unlessMissing(realpath(path), path)
  const present = await unlessMissing(stat(target), undefined)
  if (present && !present.isFile()) return writeFile(target, content)
  const temporary = `${target}.${randomUUID()}.tmp`
  try {
    await writeFile(temporary, content, { flag: 'wx', flush: true })
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  // So that a power cut does not undo the renaming.
  await sync(dirname(target))
}

async function unlessMissing<T, U>(found: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await found
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return otherwise
    throw error
  }
}
