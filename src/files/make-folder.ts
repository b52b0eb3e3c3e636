import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it. Node's own recursive `mkdir` never ends where the system makes none below an existing one (/proc).
 * Errors: what is in the way, by its path; else the system's.
 */
export async function makeFolder(path: string): Promise<void> {
  if (await made(path)) return
  await makeFolder(dirname(path))
  if (!(await made(path))) throw new Error(`no folder can be made in ${dirname(path)}; choose another path`)
}

/** Whether there is such a folder now; not where the one above it is missing, or is none. */
async function made(path: string): Promise<boolean> {
  try {
    await mkdir(path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    if (code !== 'EEXIST') throw error
    const present = await stat(path).catch(() => undefined)
    if (present?.isDirectory()) return true
    throw new Error(
      present
        ? `${path} is not a folder; choose another path`
        : `${path} is a link to nothing; remove it, or choose another path`,
    )
  }
}
