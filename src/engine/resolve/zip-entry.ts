import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInflateRaw } from 'node:zlib'
import { ResolveError } from './resolve-error.ts'

const END = 0x0605_4b50
const CENTRAL = 0x0201_4b50
const LOCAL = 0x0403_4b50
/** The end record has 22 bytes and a comment of at most 65 535. */
const LONGEST_END = 22 + 0xffff

/** The content of one file of a ZIP archive (stored or deflated, no ZIP64), as a stream. Errors: no such file, a broken archive. */
export async function zipEntry(archive: string, name: string): Promise<AsyncIterable<Uint8Array>> {
  const broken = (what: string) => new ResolveError(`${archive} is not a usable ZIP archive: ${what}`)
  const file = await open(archive)
  try {
    const { size } = await file.stat()
    const read = async (position: number, length: number) => {
      if (position < 0 || position + length > size) throw broken('an offset lies outside of it')
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, position)
      return buffer
    }
    const tailLength = Math.min(size, LONGEST_END)
    const tail = await read(size - tailLength, tailLength)
    let end = tailLength - 22
    while (end >= 0 && tail.readUInt32LE(end) !== END) end--
    if (end < 0) throw broken('it has no end record')
    const directory = await read(tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12))
    for (let at = 0; at + 46 <= directory.length; ) {
      if (directory.readUInt32LE(at) !== CENTRAL) throw broken('its directory is damaged')
      const nameLength = directory.readUInt16LE(at + 28)
      const rest = directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
      if (directory.toString('utf8', at + 46, at + 46 + nameLength) === name) {
        const method = directory.readUInt16LE(at + 10)
        const compressed = directory.readUInt32LE(at + 20)
        const offset = directory.readUInt32LE(at + 42)
        const local = await read(offset, 30)
        if (local.readUInt32LE(0) !== LOCAL) throw broken(`the header of ${name} is damaged`)
        const start = offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28)
        if (start + compressed > size) throw broken(`${name} lies outside of it`)
        const raw = createReadStream(archive, { start, end: start + compressed - 1 })
        if (method === 0) return raw
        if (method === 8) return raw.pipe(createInflateRaw())
        throw broken(`${name} is compressed by method ${method}`)
      }
      at += 46 + nameLength + rest
    }
    throw broken(`it has no ${name}`)
  } finally {
    await file.close()
  }
}
