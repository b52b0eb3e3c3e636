import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { native } from '../src/native/index.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const run = promisify(execFile)

it.each(native.cpuPath().available as string[])('the goldens of models hold on the path %s', async (path) => {
  const environment = { ...process.env, WHETSTONE_ISA: path }
  const { stdout } = await run(process.execPath, ['scripts/goldens.ts', 'tests/goldens/models'], {
    cwd: root,
    env: environment,
  })
  expect(stdout).toContain('ok   llama-gqa-tied')
})

it('a path that the machine lacks is refused with those it has', async () => {
  const environment = { ...process.env, WHETSTONE_ISA: 'mmx' }
  const running = run(process.execPath, ['scripts/goldens.ts', 'tests/goldens/models'], {
    cwd: root,
    env: environment,
  })
  await expect(running).rejects.toMatchObject({
    stdout: expect.stringMatching(/WHETSTONE_ISA is 'mmx'; this machine runs: .*portable/),
  })
})

it('an empty WHETSTONE_ISA asks for no path', async () => {
  const script = "import { native } from './src/native/index.ts'; console.log(native.cpuPath().chosen)"
  const [empty, absent] = await Promise.all(
    [
      { ...process.env, WHETSTONE_ISA: '' },
      { ...process.env, WHETSTONE_ISA: undefined },
    ].map((env) => run(process.execPath, ['--input-type=module', '-e', script], { cwd: root, env })),
  )
  expect(empty?.stdout).toMatch(/^[a-z]/)
  expect(empty?.stdout).toBe(absent?.stdout)
})
