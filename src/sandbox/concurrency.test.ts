import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSandbox, type Sandbox } from './sandbox.ts'
import type { Language, TestRequest } from './types.ts'

const setup = await createSandbox({ workers: 2 })
const pythonBackend = setup.backends.python
let sandbox: Sandbox
beforeAll(() => {
  sandbox = setup
})
afterAll(() => sandbox.close())

const limits = { milliseconds: 20_000, memoryBytes: 64 * 2 ** 20 }

/** Solutions of every outcome, and the reason that each has when it is judged alone. */
const kinds: Record<Language, [solution: string, reason: string, passed: number][]> = {
  javascript: [
    ['const f = (x) => x + 1', 'passed', 3],
    ['const f = (x) => 2', 'failed', 1],
    ['const f = (x) => { if (x > 2) throw new Error("no"); return x + 1 }', 'exception', 2],
    ['Array.prototype.map = () => 1; const f = (x) => x + 1', 'tampered', 0],
    ['const held = []; const f = () => { while (true) held.push(new Uint8Array(2 ** 22)) }', 'memory', 0],
  ],
  typescript: [['const f = (x: number): number => x + 1', 'passed', 3]],
  python: [
    ['def f(x): return x + 1', 'passed', 3],
    ['def f(x): return 2', 'failed', 1],
    ['def f(x):\n  if x > 2: raise ValueError\n  return x + 1', 'exception', 2],
    ['import os\ndef f(x): os._exit(0)', 'tampered', 0],
    ['import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGKILL)', 'killed', 0],
    ['held = []\ndef f(x):\n  while True: held.append(bytearray(1 << 24))', 'memory', 0],
  ],
}

function request(language: Language, solution: string): TestRequest {
  const tests = [1, 2, 3].map((x) =>
    language === 'python' ? `assert f(${x}) == ${x + 1}` : `assert.equal(f(${x}), ${x + 1})`,
  )
  return { language, solution, tests, entryPoint: 'f', limits }
}

test.each(Object.keys(kinds) as Language[])(
  'hundreds of %s solutions judged at once get the verdicts that each has alone',
  async (language) => {
    if (language === 'python' && typeof pythonBackend !== 'string') return
    const count = language === 'python' && pythonBackend === 'python-pyodide' ? 12 : 200
    const cases = Array.from({ length: count }, (_, i) => kinds[language][i % kinds[language].length]!)
    const verdicts = await Promise.all(
      cases.map(([solution]) => sandbox.runTests(request(language, solution))),
    )
    expect(verdicts.map(({ reason, testsPassed }) => [reason, testsPassed])).toEqual(
      cases.map(([, reason, passed]) => [reason, passed]),
    )
  },
  120_000,
)

describe.skipIf(pythonBackend !== 'python-bubblewrap')('a sandbox killed from outside', () => {
  test('fails the run that it served, and no other', async () => {
    const others = new Set(supervisorsBelow(process.pid))
    const two = await createSandbox({ workers: 2 })
    const run = (source: string) => two.run({ language: 'python', source, limits })
    await Promise.all([run('1'), run('1')])
    const victim = supervisorsBelow(process.pid).find((id) => !others.has(id))!
    const waiting = Array.from({ length: 12 }, () => run('import time; time.sleep(0.2); print(1)'))
    await setTimeout(50)
    process.kill(victim, 'SIGKILL')
    const stops = (await Promise.all(waiting)).map(({ stopped }) => stopped)
    expect(stops.filter((stopped) => stopped === 'killed')).toHaveLength(1)
    expect(stops.filter((stopped) => stopped === 'ok')).toHaveLength(11)
    await two.close()
  })
})

/** The warm interpreters that this process has started, by bubblewrap. */
function supervisorsBelow(root: number): number[] {
  const parents = new Map<number, number>()
  const found: number[] = []
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
      if (command[0] === 'bwrap' && command.includes('/sandbox/supervisor.py')) found.push(Number(name))
    } catch {
      // It ended meanwhile.
    }
  }
  const isBelow = (id: number): boolean => id === root || (parents.has(id) && isBelow(parents.get(id)!))
  return found.filter(isBelow)
}
