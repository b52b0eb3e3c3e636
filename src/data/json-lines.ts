import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { z } from 'zod'
import { replaceFile, systemWords } from '../files/index.ts'
import { DataError } from './data-error.ts'

/** A longer line is not a record but a file that is no JSONL; refusing it keeps memory bounded. */
const longestLine = 64 * 2 ** 20

/** One value of a JSONL file, with the place to name in an error: `path:line`. */
export interface JsonLine {
  value: unknown
  where: string
}

/**
 * The values of a JSONL file in order, blank lines skipped. Gunzips what starts like gzip, whatever its name.
 * Throws a DataError naming path and line for a missing file, broken gzip, bytes that are no UTF-8, or no JSON.
 */
export async function* readJsonLines(path: string): AsyncGenerator<JsonLine> {
  let number = 0
  for await (const bytes of readLines(path)) {
    number += 1
    const where = `${path}:${number}`
    const text = decodeLine(bytes, where)
    if (text.trim() === '') continue
    yield { value: parseLine(text, where), where }
  }
}

/** `line.value` as the schema's type. Throws a DataError naming path, line and the first wrong field. */
export function parseRow<T>(schema: z.ZodType<T>, line: JsonLine, form: string): T {
  const result = schema.safeParse(line.value)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  const field = issue.path.length > 0 ? `field "${issue.path.join('.')}": ` : ''
  throw new DataError(`${line.where}: not ${form}: ${field}${issue.message}`)
}

/** Writes one JSON value a line: to a temporary name beside `path`, synced, then renamed over it. */
export async function writeJsonLines(path: string, rows: Iterable<unknown>): Promise<void> {
  await writeFileSafely(path, Array.from(rows, (row) => `${JSON.stringify(row)}\n`).join(''))
}

/** A file that is either the old one or the whole new one, even after a crash. Throws a DataError naming the path. */
export async function writeFileSafely(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await replaceFile(path, content)
  } catch (error) {
    throw new DataError(`cannot write ${path}: ${systemWords(error)}`, { cause: error })
  }
}

function decodeLine(bytes: Buffer, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new DataError(`${where}: not UTF-8; save the file as UTF-8`)
  }
}

function parseLine(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new DataError(`${where}: not JSON (${messageOf(error)}); JSONL has one JSON value on each line`)
  }
}

async function* readLines(path: string): AsyncGenerator<Buffer> {
  let pending: Buffer[] = []
  let pendingBytes = 0
  for await (const chunk of readChunks(path)) {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield Buffer.concat([...pending, chunk.subarray(start, end)])
      pending = []
      pendingBytes = 0
      start = end + 1
    }
    pending.push(chunk.subarray(start))
    pendingBytes += chunk.length - start
    if (pendingBytes > longestLine) {
      throw new DataError(`${path}: a line is longer than ${longestLine} bytes; is this a JSONL file?`)
    }
  }
  if (pendingBytes > 0) yield Buffer.concat(pending)
}

async function* readChunks(path: string): AsyncGenerator<Buffer> {
  try {
    const isGzip = await startsLikeGzip(path)
    const file = createReadStream(path)
    const source = isGzip ? pipeline(file, createGunzip(), () => {}) : file
    for await (const chunk of source) yield chunk as Buffer
  } catch (error) {
    throw new DataError(`cannot read ${path}: ${systemWords(error)}`, { cause: error })
  }
}

async function startsLikeGzip(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0)
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await file.close()
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
