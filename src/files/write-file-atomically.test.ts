import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeFileAtomically } from './write-file-atomically.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-files-'))
})
afterEach(() => rm(directory, { recursive: true }))

describe('an atomic write', () => {
  it('makes folders on the way, replaces what was there and leaves nothing else', async () => {
    const path = join(directory, 'a', 'b.txt')
    await writeFileAtomically(path, 'old')
    await writeFileAtomically(path, Buffer.from('new'))
    expect(await readFile(path, 'utf8')).toBe('new')
    expect(await readdir(join(directory, 'a'))).toEqual(['b.txt'])
  })

  it('leaves no temporary file where it fails', async () => {
    await mkdir(join(directory, 'taken', 'full'), { recursive: true })
    await expect(writeFileAtomically(join(directory, 'taken'), 'x')).rejects.toThrow()
    expect(await readdir(directory)).toEqual(['taken'])
  })
})
