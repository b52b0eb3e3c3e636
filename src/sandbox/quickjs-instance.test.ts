import { expect, test } from 'vitest'
import { createInstance } from './quickjs-instance.ts'
import type { EngineOptions } from './quickjs-runtime.ts'

const options: EngineOptions = {
  memoryBytes: 64 * 2 ** 20,
  outputBytes: 1000,
  stopOnOverflow: true,
  deadline: Number.POSITIVE_INFINITY,
  files: new Map(),
  fileBytes: 0,
  stdin: '',
  args: [],
  ask: () => '',
  foreign() {},
}

test('a run begins where every other began, whatever was done before', async () => {
  const instance = await createInstance('program')
  const look = () => {
    const engine = instance.begin(options)
    engine.evaluate('console.log(Math.random(), typeof left, [].left, sandbox.args.length)', 'look.js')
    return engine.output.stdout
  }
  const fresh = look()
  expect(fresh).toMatch(/^0\.\d+ undefined undefined 0\n$/)
  for (let round = 0; round < 3; round++) {
    expect(instance.restore()).toBe(true)
    const engine = instance.begin({ ...options, args: ['a'] })
    const source =
      'var left = 1; Array.prototype.left = 1; Math.random = () => 1; setTimeout(() => { throw left }); Promise.reject(1)'
    engine.evaluate(source, 'leave.js')
    expect(instance.restore()).toBe(true)
    expect(look()).toBe(fresh)
  }
})

test('the cap on memory holds for what is kept in many small and in few large pieces', async () => {
  for (const piece of ['new Uint8Array(2 ** 22)', '[held.length]', '"x".repeat(2 ** 16) + held.length']) {
    const instance = await createInstance('program')
    const engine = instance.begin(options)
    const source = `var held = []; while (true) held.push(${piece})`
    expect(engine.evaluate(source, 'hold.js')).toMatchObject({ message: 'out of memory' })
    engine.evaluate('const n = held.length; held = undefined; console.log(n)', 'count.js')
    const bytes =
      Number(engine.output.stdout) * (piece.startsWith('[') ? 80 : piece.startsWith('"') ? 2 ** 16 : 2 ** 22)
    expect(bytes).toBeGreaterThan(options.memoryBytes * 0.7)
    expect(bytes).toBeLessThan(options.memoryBytes * 1.1)
  }
})

test('an instance whose memory has grown is not used again', async () => {
  const instance = await createInstance('program')
  expect(
    instance.begin(options).evaluate('globalThis.held = new Uint8Array(2 ** 25)', 'grow.js'),
  ).toBeUndefined()
  expect(instance.restore()).toBe(false)
})
