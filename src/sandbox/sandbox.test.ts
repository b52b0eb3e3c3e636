import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSandbox, type Sandbox } from './sandbox.ts'

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await createSandbox({ workers: 2 })
})
afterAll(() => sandbox.close())

const hasPython = async () => typeof (await createSandboxBackends()).python === 'string'
async function createSandboxBackends() {
  const other = await createSandbox({ workers: 1 })
  await other.close()
  return other.backends
}
const pythonPresent = await hasPython()

test('hundreds of JavaScript runs at once each get their own answer', async () => {
  const results = await Promise.all(
    Array.from({ length: 300 }, (_, i) =>
      sandbox.run({ language: 'javascript', source: `console.log(${i})` }),
    ),
  )
  expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 300 }, (_, i) => `${i}\n`))
})

test('a worker that is ended fails its own run only', async () => {
  const stuck = 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)'
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      sandbox.run({
        language: 'javascript',
        source: i % 10 === 0 ? stuck : `console.log(${i})`,
        limits: { milliseconds: i % 10 === 0 ? 100 : 20_000 },
      }),
    ),
  )
  expect(results.map(({ stopped }) => stopped)).toEqual(
    results.map((_, i) => (i % 10 === 0 ? 'timeout' : 'ok')),
  )
})

test('TypeScript runs without its types, with lines as written, and enums too', async () => {
  const typed = 'interface A { x: number }\nconst a: A = { x: 1 }\nthrow new Error("line " + a.x)'
  const result = await sandbox.run({ language: 'typescript', source: typed })
  expect(result).toMatchObject({ stopped: 'exception', reason: 'Error: line 1' })
  expect(result.stderr).toContain('main.js:3')
  const source = 'enum Color { Red = 4 }\nconsole.log(Color.Red)'
  expect((await sandbox.run({ language: 'typescript', source })).stdout).toBe('4\n')
  const wrong = await sandbox.run({ language: 'typescript', source: 'const x: = 1' })
  expect(wrong.stopped).toBe('exception')
})

test('JavaScript has its input, arguments, files, modules and timers', async () => {
  const source = `import { twice } from './lib/twice.js'
    await new Promise((done) => setTimeout(done, 60_000))
    console.log(sandbox.stdin, sandbox.args.join(), twice(sandbox.readFile('n.txt')), { a: [1, 'b'] })`
  const files = { 'lib/twice.js': 'export const twice = (x) => 2 * x', 'n.txt': '21' }
  const result = await sandbox.run({ language: 'javascript', source, files, stdin: 'in', args: ['a', 'b'] })
  expect(result).toMatchObject({ stopped: 'ok', stdout: 'in a,b 42 { a: [ 1, "b" ] }\n' })
})

test('hidden JavaScript tests see changed arguments, callbacks, instances and promises', async () => {
  const judge = (solution: string, tests: string) =>
    sandbox.runTests({ language: 'javascript', solution, tests, entryPoint: 'f' })
  const pass = { passed: true, reason: 'passed' }
  expect(
    await judge('function f(list) { list.push(1) }', 'const l = [0]; f(l); assert.deepEqual(l, [0, 1])'),
  ).toMatchObject(pass)
  expect(
    await judge('const f = (list, g) => list.map(g)', 'assert.deepEqual(f([1], (x) => x + 1), [2])'),
  ).toMatchObject(pass)
  expect(await judge('async function f(x) { return x }', 'assert.equal(await f(2), 2)')).toMatchObject(pass)
  expect(
    await judge(
      'class f { n = 1; add() { return ++this.n } }',
      'const a = new f(); a.add(); assert.equal(a.n, 2)',
    ),
  ).toMatchObject(pass)
  expect(
    await judge('function f() { throw new RangeError("x") }', 'assert.throws(() => f(), RangeError)'),
  ).toMatchObject(pass)
  expect(
    await judge(
      'const f = () => [NaN, -0, undefined, 10n, new Map([[1, new Set([2])]])]',
      'assert.deepEqual(f(), [NaN, -0, undefined, 10n, new Map([[1, new Set([2])]])])',
    ),
  ).toMatchObject(pass)
  expect(await judge('const f = () => 1', 'assert.equal(f(), 2)')).toMatchObject({
    reason: 'failed',
    message: 'AssertionError: 1 is not 2',
  })
})

test('every test is run and counted, and the first that did not pass is the reason', async () => {
  const tests = [
    'var once = f(1)',
    'assert.equal(once, 2)',
    'assert.equal(f(2), 3)',
    'assert.equal(f(-1), 0)',
  ]
  const judge = (solution: string) =>
    sandbox.runTests({ language: 'javascript', solution, tests, entryPoint: 'f' })
  expect(await judge('const f = (x) => x + 1')).toMatchObject({ passed: true, testsPassed: 4, testsTotal: 4 })
  expect(await judge('const f = (x) => { if (x < 0) throw new Error("no"); return 2 }')).toMatchObject({
    passed: false,
    reason: 'failed',
    message: 'AssertionError: 2 is not 3',
    testsPassed: 2,
    testsTotal: 4,
  })
  expect(await judge('const f = (x) => { if (x < 0) throw new Error("no"); return x + 1 }')).toMatchObject({
    reason: 'exception',
    testsPassed: 3,
  })
  expect(await judge('Math.abs = () => 0; const f = (x) => 2')).toMatchObject({
    reason: 'tampered',
    testsPassed: 0,
  })
  expect(await judge('const f = (x) => { while (x < 0); return x + 1 }')).toMatchObject({
    reason: 'timeout',
    testsPassed: 3,
    testsTotal: 4,
  })
  expect(
    await sandbox.runTests({ language: 'javascript', solution: '', tests: [], entryPoint: 'f' }),
  ).toMatchObject({ reason: 'refused', message: 'tests is empty, so every solution would pass' })
})

test('a check that the tests define is called once, within the test that defines it', async () => {
  const judge = (solution: string, tests: string[]) =>
    sandbox.runTests({ language: 'javascript', solution, tests, entryPoint: 'f' })
  const tests = ['let n = 0; function check(g) { n++; assert.equal(g(), 1) }', 'assert.equal(n, 1)']
  expect(await judge('const f = () => 1', tests)).toMatchObject({ passed: true, testsPassed: 2 })
  expect(await judge('const f = () => 2', tests)).toMatchObject({ reason: 'failed', testsPassed: 1 })
  const later = ['async function check(g) { assert.equal(await g(), 1) }']
  expect(await judge('const f = async () => 1', later)).toMatchObject({ passed: true })
  expect(await judge('const f = async () => 2', later)).toMatchObject({ reason: 'failed' })
})

test('what cannot be run is refused with what is wrong', async () => {
  const run = (request: object) => sandbox.run({ language: 'javascript', source: '', ...request } as never)
  expect(await run({ language: 'ruby' })).toMatchObject({
    stopped: 'refused',
    reason: expect.stringContaining('ruby'),
  })
  for (const path of ['/abs', '../up', 'a//b', 'a/./b', '']) {
    expect((await run({ files: { [path]: '' } })).stopped).toBe('refused')
  }
  await expect(run({ limits: { milliseconds: 0 } })).rejects.toThrow('limits.milliseconds is 0')
  await expect(run({ limits: { seconds: 1 } })).rejects.toThrow('limits.seconds is unknown')
  await expect(createSandbox({ workers: 0 })).rejects.toThrow('workers is 0')
})

test('a closed sandbox refuses', async () => {
  const closed = await createSandbox({ workers: 1 })
  await closed.close()
  expect((await closed.run({ language: 'javascript', source: '1' })).stopped).toBe('killed')
})

describe.skipIf(!pythonPresent)('Python', () => {
  test('a hundred runs at once each get their own answer, whatever others do', async () => {
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        sandbox.run({
          language: 'python',
          source:
            i % 25 === 7 ? 'import os, signal\nos.kill(os.getpid(), signal.SIGKILL)' : `print(input(), ${i})`,
          stdin: 'n',
          limits: { milliseconds: 20_000 },
        }),
      ),
    )
    results.forEach((result, i) => {
      if (i % 25 === 7) expect(result.stopped).toBe('killed')
      else expect(result).toMatchObject({ stopped: 'ok', stdout: `n ${i}\n` })
    })
  })

  test('hidden tests see changed arguments, callbacks, instances, generators and errors', async () => {
    const judge = (solution: string, tests: string) =>
      sandbox.runTests({ language: 'python', solution, tests, entryPoint: 'f' })
    const pass = { passed: true, reason: 'passed' }
    expect(
      await judge('def f(x): x.append(x[0])', 'a = [[1]]\nf(a)\nassert a == [[1], [1]] and a[0] is a[1]'),
    ).toMatchObject(pass)
    expect(
      await judge('def f(g): return [g(i) for i in range(3)]', 'assert f(lambda i: i * i) == [0, 1, 4]'),
    ).toMatchObject(pass)
    expect(
      await judge(
        'class f:\n  def __init__(s): s.n = 1\n  def up(s): s.n += 1',
        'a = f()\na.up()\nassert a.n == 2',
      ),
    ).toMatchObject(pass)
    expect(
      await judge('def f(n):\n  for i in range(n): yield i', 'assert list(f(3)) == [0, 1, 2]'),
    ).toMatchObject(pass)
    expect(
      await judge(
        'class E(ValueError): pass\ndef f(): raise E("x")',
        'try:\n  f()\nexcept ValueError as e: assert e.args == ("x",)\nelse: assert False',
      ),
    ).toMatchObject(pass)
    expect(await judge('def f(): return 1', 'assert f() == 2')).toMatchObject({ reason: 'failed' })
  })

  test('solutions use the objects that tests hand them: containers, generators, context managers, attributes', async () => {
    const solution = `def f(bag, stream, lock):
    with lock as held:
        return [3 in bag, 4 in bag, len(bag), bag.label, bag.__class__ is not None, [*stream], held]`
    const tests = `class Bag:
    label = 'b'
    def __len__(self): return 2
    def __contains__(self, item): return item == 3
class Lock:
    def __enter__(self): return 'held'
    def __exit__(self, *_): self.left = True
lock = Lock()
assert f(Bag(), (i * i for i in range(3)), lock) == [True, False, 2, 'b', True, [0, 1, 4], 'held']
assert lock.left`
    const verdict = await sandbox.runTests({ language: 'python', solution, tests, entryPoint: 'f' })
    expect(verdict).toMatchObject({ passed: true, message: '' })
  })
})
