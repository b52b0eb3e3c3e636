import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeFolder } from './make-folder.ts'

it('makes a folder and those above it, also where some are there', async () => {
  const root = await mkdtemp(join(tmpdir(), 'whetstone-folder-'))
  const path = join(root, 'a', 'b', 'c')
  await Promise.all([makeFolder(path), makeFolder(path), makeFolder(join(root, 'a'))])
  await makeFolder(path)
  expect((await stat(path)).isDirectory()).toBe(true)
  await rm(root, { recursive: true })
})

it('is refused below a file, and in its place, with the file that is in the way', async () => {
  const root = await mkdtemp(join(tmpdir(), 'whetstone-folder-'))
  const file = join(root, 'file')
  await writeFile(file, '')
  for (const path of [file, join(file, 'a', 'b')])
    await expect(makeFolder(path)).rejects.toThrow(`${file} is not a folder; choose another path`)
  await rm(root, { recursive: true })
})

it('is refused in the place of a link to nothing', async () => {
  const root = await mkdtemp(join(tmpdir(), 'whetstone-folder-'))
  const link = join(root, 'link')
  await symlink(join(root, 'nothing'), link)
  await expect(makeFolder(link)).rejects.toThrow('is a link to nothing')
  await expect(makeFolder(join(link, 'below'))).rejects.toThrow('is a link to nothing')
  await rm(root, { recursive: true })
})

it.runIf(process.platform === 'linux')('ends where the system makes no folders', async () => {
  await expect(makeFolder('/proc/whetstone/run')).rejects.toThrow('no folder can be made in /proc')
})
