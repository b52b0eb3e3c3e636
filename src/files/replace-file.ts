import { open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Writes a file so that a reader, or a machine that lost power, sees the old content or all of the new: a temporary name beside
 * it, synced, renamed. Behind a link is the file that is meant; what is no file (a pipe, a device) is written to, not replaced.
 */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const target = await realpath(path).catch(() => path)
  const present = await stat(target).catch(() => undefined)
  if (present && !present.isFile() && !present.isDirectory()) return writeInto(target, content)
  const temporary = `${target}.${process.pid}.${counter++}.tmp`
  try {
    const file = await open(temporary, 'wx')
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(target))
}

async function writeInto(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'w')
  await file.writeFile(content).finally(() => file.close())
}

/** Has the disk hold which names a folder has, so that a power cut does not undo the renaming. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  await folder.sync().finally(() => folder.close())
}

let counter = 0
