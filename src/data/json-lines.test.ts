import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readJsonLines, writeJsonLines } from './json-lines.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whetstone-json-lines-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function collect(path: string): Promise<unknown[]> {
  const values: unknown[] = []
  for await (const { value } of readJsonLines(path)) values.push(value)
  return values
}

async function read(content: string | Uint8Array): Promise<unknown[]> {
  const path = join(folder, 'file.jsonl')
  await writeFile(path, content)
  return await collect(path)
}

describe('reading', () => {
  test('gives a value a line and skips blank lines, with or without a last newline', async () => {
    expect(await read('{"a":1}\n\n  \r\n[2]\r\n"x"')).toEqual([{ a: 1 }, [2], 'x'])
    expect(await read('')).toEqual([])
  })
  test('a raw U+2028 inside a string does not end the line, and a byte-order mark is no part of it', async () => {
    expect(await read('\u{feff}"a\u2028b"\n')).toEqual(['a\u2028b'])
  })
  test('lines longer than a read are put together', async () => {
    const long = 'é'.repeat(200_000)
    expect(await read(`1\n"${long}"\n2\n`)).toEqual([1, long, 2])
  })
  test('gzip is told by its content, not by its name', async () => {
    expect(await read(gzipSync('1\n2\n'))).toEqual([1, 2])
  })
  test('an error names the path and the line', async () => {
    await expect(read('1\n{"a":\n')).rejects.toThrow(/file\.jsonl:2: not JSON .*one JSON value on each line/)
    await expect(read(Buffer.from([0x31, 0x0a, 0x22, 0xff, 0x22, 0x0a]))).rejects.toThrow(
      /file\.jsonl:2: not UTF-8/,
    )
  })
  test('a missing file, a folder and broken gzip are errors that name the path', async () => {
    await expect(collect(join(folder, 'none'))).rejects.toThrow(/cannot read .*none.*there is no such file/)
    await expect(collect(folder)).rejects.toThrow(/cannot read .*it is a directory/)
    await expect(read(gzipSync('1\n'.repeat(5000)).subarray(0, 20))).rejects.toThrow(
      /cannot read .*unexpected end of file/,
    )
  })
})

describe('writing', () => {
  test('what is written is read back, and no temporary file stays', async () => {
    const path = join(folder, 'out.jsonl')
    await writeJsonLines(path, [{ a: 'x\ny' }, 2])
    expect(await collect(path)).toEqual([{ a: 'x\ny' }, 2])
    expect((await readdir(folder)).filter((name) => name.includes('tmp'))).toEqual([])
  })
  test('a folder that does not exist is an error that names the path', async () => {
    await expect(writeJsonLines(join(folder, 'none', 'x.jsonl'), [1])).rejects.toThrow(
      /cannot write .*none.*there is no such file or folder/,
    )
  })
})
