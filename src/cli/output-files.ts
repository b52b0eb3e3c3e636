import { access, constants, realpath, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { systemWords } from '../files/index.ts'
import { CommandError } from './command-error.ts'

/**
 * Refuses a file that could not be written after hours of work, before it, and one that is among those to be read. Throws a CommandError
 * that says why.
 */
export async function refuseUnwritable(path: string, read: readonly string[] = []): Promise<void> {
  const real = (name: string) => realpath(name).catch(() => resolve(name))
  const target = await real(path)
  for (const input of read)
    if ((await real(input)) === target)
      throw new CommandError(`${path} is to be read and would be overwritten; name another file to write`)
  const present = await stat(path).catch(() => undefined)
  if (present?.isDirectory())
    throw new CommandError(`cannot write ${path}: it is a directory; name a file in it`)
  const folder = dirname(path)
  await access(folder, constants.W_OK).catch((error: NodeJS.ErrnoException) => {
    const cause =
      error.code === 'ENOENT' ? `there is no folder ${folder}; create it first` : systemWords(error)
    throw new CommandError(`cannot write ${path}: ${cause}`)
  })
}
