import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { backendFactories } from '../backends.ts'
import type { Backend, RunResult } from '../types.ts'
import type { HostFacts } from './attempt.ts'
import { javascriptHostAttempts, pythonHostAttempts } from './host-attempts.ts'
import { javascriptCheats, javascriptTask } from './javascript-cheats.ts'
import { findInMemory, findOnStack, pythonCheats, pythonTask } from './python-cheats.ts'
import { javascriptResourceAttempts, pythonResourceAttempts } from './resource-attempts.ts'

const folder = mkdtempSync(join(tmpdir(), 'escape-'))
const secret = 'whetstone-escape-secret'
const facts: HostFacts = {
  secretFile: join(folder, 'secret'),
  secret,
  target: join(folder, 'target'),
  port: 0,
}
writeFileSync(facts.secretFile, secret)
process.env.WHETSTONE_ESCAPE_SECRET = secret
let visitors = 0
const server = createServer((socket) => {
  visitors++
  socket.destroy()
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
facts.port = (server.address() as { port: number }).port

afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

for (const factory of await backendFactories()) {
  const language = factory.name === 'quickjs' ? 'javascript' : 'python'
  const missing = factory.missing === undefined ? '' : ` (skipped: ${factory.missing})`
  describe.skipIf(factory.missing !== undefined)(`${factory.name}${missing}`, () => {
    let backend: Backend
    beforeAll(() => {
      backend = factory.create(2, 32 * 2 ** 20)
    })
    afterAll(() => backend.close(), 60_000)

    const expectAlive = async () => {
      const source = language === 'python' ? 'print(6 * 7)' : 'console.log(6 * 7)'
      expect(await backend.run({ language, source, limits: { milliseconds: 20_000 } })).toMatchObject({
        stopped: 'ok',
        stdout: '42\n',
      })
    }

    const attempts =
      language === 'python'
        ? [...pythonHostAttempts(facts), ...pythonResourceAttempts]
        : [...javascriptHostAttempts(facts), ...javascriptResourceAttempts]
    test.each(attempts)('holds when a program $name', async ({ name, request, escaped }) => {
      const result: RunResult = await backend.run({ language, ...request })
      expect(escaped(result, facts)).toBeUndefined()
      expect(result.stopped).not.toBe('refused')
      expect(`${result.stdout}${result.stderr}`).not.toContain(secret)
      expect(existsSync(facts.target)).toBe(false)
      expect(visitors).toBe(0)
      if (/^(stops|signals|kills)/.test(name)) await expectAlive()
    })

    const task = language === 'python' ? pythonTask : javascriptTask
    test.each(language === 'python' ? pythonCheats : javascriptCheats)(
      'gives no pass to a solution that $name',
      async ({ solution, reasons, tests = task.tests }) => {
        const verdict = await backend.runTests({ ...task, tests, solution })
        expect(verdict.passed).toBe(false)
        expect(reasons).toContain(verdict.reason)
      },
    )

    test.runIf(factory.name === 'python-bubblewrap')(
      'would find the tests in its memory if they were there',
      async () => {
        const held = "kept = 'HIDDEN = 61234 ' * 3\n"
        const source = `${held}${findOnStack}${findInMemory}print(bool(on_stack()), in_memory())`
        expect(await backend.run({ language, source })).toMatchObject({ stdout: 'True True\n' })
      },
    )

    test('passes an honest solution of the same task', async () => {
      const solution =
        language === 'python'
          ? 'def add(a, b): return a + b'
          : 'function add(a, b) { return Array.isArray(a) ? [...a, ...b] : a + b }'
      expect(await backend.runTests({ ...task, solution })).toMatchObject({ passed: true, reason: 'passed' })
    })

    test('counts the tests that a solution passes, none for one that tampers', async () => {
      const python = language === 'python'
      const tests = [1, 2, 3].map((b) =>
        python ? `assert add(1, ${b}) == ${1 + b}` : `assert.equal(add(1, ${b}), ${1 + b})`,
      )
      const judge = (body: string, before = '') =>
        backend.runTests({
          ...task,
          tests,
          solution: python
            ? `${before}def add(a, b): return ${body}`
            : `${before}const add = (a, b) => ${body}`,
        })
      expect(await judge('a + b')).toMatchObject({ passed: true, testsPassed: 3, testsTotal: 3 })
      expect(await judge('3')).toMatchObject({ reason: 'failed', testsPassed: 1, testsTotal: 3 })
      const patch = python ? 'import builtins; builtins.abs = len\n' : 'Math.abs = () => 0; '
      expect(await judge('3', patch)).toMatchObject({ reason: 'tampered', testsPassed: 0, testsTotal: 3 })
      const stall = python ? '(b < 3 or list(iter(int, 1))) and a + b' : '{ while (b > 2); return a + b }'
      expect(await judge(stall)).toMatchObject({ passed: false, testsPassed: 2, testsTotal: 3 })
    })

    test('carries no state from one run into the next', async () => {
      const [leave, look] =
        language === 'python'
          ? [
              "import builtins, sys, os\nbuiltins.left = 1\nsys.modules['left'] = sys\nopen('left', 'w').write('x')\nos.environ['LEFT'] = '1'\nimport math\nmath.pi = 3\ntry:\n    open('/tmp/left', 'w').write('x')\nexcept OSError: pass",
              "import builtins, sys, os, math\nprint(hasattr(builtins, 'left'), 'left' in sys.modules, os.path.exists('left'), 'LEFT' in os.environ, math.pi == 3, os.path.exists('/tmp/left'))",
            ]
          : [
              "globalThis.left = 1; Array.prototype.left = 1; sandbox.writeFile('left', 'x')",
              "console.log('left' in globalThis, 'left' in [], sandbox.listFiles().length > 0)",
            ]
      for (let round = 0; round < 3; round++) {
        await backend.run({ language, source: leave })
        const { stdout } = await backend.run({ language, source: look })
        expect(stdout).not.toContain('True')
        expect(stdout).not.toContain('true')
        expect(stdout.toLowerCase()).toContain('false')
      }
    })
  })
}
