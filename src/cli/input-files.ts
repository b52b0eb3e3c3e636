import { createReadStream } from 'node:fs'
import { systemWords } from '../files/index.ts'
import { CommandError } from './command-error.ts'

/** A longer file is not what was meant, and /dev/zero has no end. */
const LARGEST_MEBIBYTES = 256

/** The bytes of a file that the user named. Throws a CommandError that names it and says why it cannot be read. */
export async function readInputFile(path: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of createReadStream(path)) {
      bytes += chunk.length
      if (bytes > LARGEST_MEBIBYTES * 2 ** 20) break
      chunks.push(chunk)
    }
  } catch (error) {
    throw new CommandError(`cannot read ${path}: ${systemWords(error)}`)
  }
  if (bytes > LARGEST_MEBIBYTES * 2 ** 20)
    throw new CommandError(`cannot read ${path}: it has more than ${LARGEST_MEBIBYTES} MiB`)
  return Buffer.concat(chunks)
}

/** The same as text, which must be UTF-8. */
export async function readInputText(path: string): Promise<string> {
  const bytes = await readInputFile(path)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new CommandError(`cannot read ${path}: it is not UTF-8 text; save it as UTF-8`)
  }
}
