import { dirname } from 'node:path'
import { makeFolder } from './make-folder.ts'
import { replaceFile } from './replace-file.ts'

/** As `replaceFile`; folders on the way are made. */
export async function writeFileAtomically(path: string, content: string | Uint8Array): Promise<void> {
  await makeFolder(dirname(path))
  await replaceFile(path, content)
}
