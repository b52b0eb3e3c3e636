import { execFileSync } from 'node:child_process'
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { replaceFile } from './replace-file.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whetstone-replace-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('writes the file behind a link and leaves the link', async () => {
  const [file, link] = [join(folder, 'behind'), join(folder, 'link')]
  await writeFile(file, 'old')
  await symlink(file, link)
  await replaceFile(link, 'new')
  expect(await readFile(file, 'utf8')).toBe('new')
  expect(await readlink(link)).toBe(file)
  expect((await readdir(folder)).sort()).toEqual(['behind', 'link'])
})

it('puts a file in the place of a link to nothing', async () => {
  const link = join(folder, 'link')
  await symlink(join(folder, 'nothing'), link)
  await replaceFile(link, 'new')
  expect((await lstat(link)).isFile()).toBe(true)
  expect(await readdir(folder)).toEqual(['link'])
})

it.skipIf(process.platform === 'win32')('writes into a pipe and leaves it a pipe', async () => {
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const [text] = await Promise.all([readFile(pipe, 'utf8'), replaceFile(pipe, 'through')])
  expect(text).toBe('through')
  expect((await stat(pipe)).isFIFO()).toBe(true)
})

it('is refused for a folder, and below a file, and leaves nothing', async () => {
  await mkdir(join(folder, 'taken'))
  await writeFile(join(folder, 'file'), 'x')
  await expect(replaceFile(join(folder, 'taken'), 'y')).rejects.toThrow('EISDIR')
  await expect(replaceFile(join(folder, 'file', 'below'), 'y')).rejects.toThrow('ENOTDIR')
  expect((await readdir(folder)).sort()).toEqual(['file', 'taken'])
})

it('keeps one whole content of several written at once', async () => {
  const path = join(folder, 'file')
  const contents = ['x', 'y', 'z'].map((letter) => letter.repeat(100_000))
  await Promise.all(contents.map((content) => replaceFile(path, content)))
  expect(contents).toContain(await readFile(path, 'utf8'))
  expect(await readdir(folder)).toEqual(['file'])
})
