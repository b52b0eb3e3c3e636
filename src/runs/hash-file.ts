import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

export interface FileDigest {
  bytes: number
  sha256: string
}

/** Size and SHA-256 of a file, or of its first `limit` bytes (fewer where it is shorter). */
export async function hashFile(path: string, limit = Number.POSITIVE_INFINITY): Promise<FileDigest> {
  const hash = createHash('sha256')
  let bytes = 0
  if (limit > 0)
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, end: limit - 1 })) {
      hash.update(chunk as Buffer)
      bytes += (chunk as Buffer).length
    }
  return { bytes, sha256: hash.digest('hex') }
}
