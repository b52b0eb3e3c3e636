import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findBubblewrap } from './bubblewrap.ts'
import { createDirectorySandbox, type DirectorySandbox } from './directory.ts'

const found = await findBubblewrap()
const why = found.found ? '' : ` (skipped: ${found.why}; ${found.mend})`

describe.skipIf(!found.found)(`a real directory in bubblewrap${why}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'directory-'))
  const outside = mkdtempSync(join(tmpdir(), 'outside-'))
  let sandbox: DirectorySandbox
  beforeAll(async () => {
    writeFileSync(join(folder, 'in.txt'), 'hello')
    writeFileSync(join(outside, 'secret'), 'secret')
    symlinkSync(join(outside, 'secret'), join(folder, 'link'))
    sandbox = await createDirectorySandbox(folder)
  })
  afterAll(() => {
    for (const path of [folder, outside]) rmSync(path, { recursive: true })
  })
  const shell = (line: string, limits = {}) => sandbox.run({ command: ['sh', '-c', line], limits })

  test('commands read and change the directory', async () => {
    expect(await shell('cat in.txt; echo done > out.txt')).toMatchObject({ stopped: 'ok', stdout: 'hello' })
    expect(readFileSync(join(folder, 'out.txt'), 'utf8')).toBe('done\n')
  })

  test('nothing else of the host is seen or changed, not by a link either', async () => {
    for (const line of [
      'cat link',
      `cat ${outside}/secret`,
      `echo x > ${outside}/new`,
      'cat /etc/shadow',
      'echo x > /usr/x',
      'ls /root',
      'ls /home',
    ]) {
      expect([line, (await shell(line)).stopped]).toEqual([line, 'exception'])
    }
    expect((await shell('env')).stdout).not.toContain(folder)
  })

  test('there is no network and no right to mount', async () => {
    const { stdout } = await shell(
      'cat /proc/net/dev | tail -n +3 | grep -v " lo:" | wc -l; mount -t tmpfs x /tmp 2>/dev/null && echo mounted',
    )
    expect(stdout).toBe('0\n')
  })

  test('a command ends with its deadline, and so does what it left in the background', async () => {
    const marker = join(folder, 'marker')
    const line = '(setsid sh -c "sleep 1; echo late > marker" &) ; sleep 60'
    expect(await shell(line, { milliseconds: 300 })).toMatchObject({ stopped: 'timeout' })
    await new Promise((done) => setTimeout(done, 1500))
    expect(() => readFileSync(marker)).toThrow('ENOENT')
  })

  test('floods of output and of files are cut', async () => {
    const flood = await shell('yes', { outputBytes: 1000 })
    expect(flood).toMatchObject({ stopped: 'output' })
    expect(flood.stdout.length).toBe(1000)
    expect((await shell('head -c 100000000 /dev/zero > big', { fileBytes: 1_000_000 })).stopped).not.toBe(
      'ok',
    )
  })

  test('a directory that is not to be changed is not', async () => {
    const still = await createDirectorySandbox(folder, { writable: false })
    expect((await still.run({ command: ['sh', '-c', 'echo x > in.txt'] })).stopped).toBe('exception')
    expect(readFileSync(join(folder, 'in.txt'), 'utf8')).toBe('hello')
  })

  test('a directory that does not exist is an error', async () => {
    await expect(createDirectorySandbox(join(folder, 'missing'))).rejects.toThrow('ENOENT')
  })
})
