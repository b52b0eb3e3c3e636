import { access, constants, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CommandError, messageOf } from './command-error.ts'

/** Refuses a file that could not be written after hours of work, before it. Throws a CommandError that says why. */
export async function refuseUnwritable(path: string): Promise<void> {
  const present = await stat(path).catch(() => undefined)
  if (present?.isDirectory())
    throw new CommandError(`cannot write ${path}: it is a directory; name a file in it`)
  const folder = dirname(path)
  await access(folder, constants.W_OK).catch((error: NodeJS.ErrnoException) => {
    const cause = error.code === 'ENOENT' ? `there is no folder ${folder}; create it first` : messageOf(error)
    throw new CommandError(`cannot write ${path}: ${cause}`)
  })
}
