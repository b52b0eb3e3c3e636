import { readFile } from 'node:fs/promises'
import { CommandError, messageOf } from './command-error.ts'

const causes: Record<string, string> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
}

/** The bytes of a file that the user named. Throws a CommandError that names it and says why it cannot be read. */
export async function readInputFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    const cause = causes[(error as NodeJS.ErrnoException).code ?? ''] ?? messageOf(error)
    throw new CommandError(`cannot read ${path}: ${cause}`)
  }
}
