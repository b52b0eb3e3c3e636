import { open } from 'node:fs/promises'

/** Has the disk hold what was written to a file, or which names a folder has. */
export async function sync(path: string): Promise<void> {
  const file = await open(path, 'r')
  await file.sync().finally(() => file.close())
}
