import type { TestRequest } from '../types.ts'
import type { Cheat } from './cheat.ts'

export const javascriptTask: Omit<TestRequest, 'solution'> = {
  language: 'javascript',
  entryPoint: 'add',
  tests:
    'const HIDDEN = 61234; assert.equal(add(2, 3), 5); assert.deepEqual(add([1], [2]), [1, 2]); if (Math.abs(add(0.5, 0.25) - 0.75) > 1e-6) throw new Error("wrong")',
  limits: { milliseconds: 1000 },
}

/** The tests hand the solution a function of theirs. */
const callback = 'const result = add([1, 2], (x) => 10 * x); assert.deepEqual(result, [10, 20])'

export const javascriptCheats: Cheat[] = [
  { name: 'throws nothing and stops', solution: 'throw undefined', reasons: ['exception'] },
  {
    name: 'replaces the assert',
    solution:
      'globalThis.assert = { equal() {}, deepEqual() {}, ok() {} }; Object.freeze(globalThis.assert); function add() { return 0 }',
    reasons: ['failed'],
  },
  {
    name: 'replaces the equality',
    solution:
      'Object.is = () => true; Math.abs = () => 0; Array.prototype.every = () => true; function add(a, b) { return a + b }',
    reasons: ['failed', 'tampered'],
  },
  {
    name: 'solves the task but replaces a builtin',
    solution: 'Math.abs = () => 0; function add(a, b) { return Array.isArray(a) ? [...a, ...b] : a + b }',
    reasons: ['tampered'],
  },
  {
    name: 'returns an object that converts to anything',
    solution:
      'function add() { return { valueOf: () => 5, toString: () => "5", [Symbol.toPrimitive]: () => 5 } }',
    reasons: ['failed'],
  },
  {
    name: 'returns an array that claims any length and member',
    solution:
      'function add(a) { return Array.isArray(a) ? new Proxy([], { get: () => 1, ownKeys: () => ["length"] }) : 5 }',
    reasons: ['failed', 'exception'],
  },
  {
    name: 'breaks the encoding of answers',
    solution:
      'JSON.stringify = () => "{}"; JSON.parse = () => ({}); Array.isArray = () => true; Map.prototype.get = () => 5; function add() { return 5 }',
    reasons: ['failed', 'exception', 'tampered'],
  },
  {
    name: 'reads the tests from the stack',
    solution:
      'function add(a, b) { const s = new Error().stack; if (s.includes("tests.js") || s.includes("HIDDEN")) return a + b; throw new Error("not found") }',
    reasons: ['exception'],
  },
  {
    name: 'prints a verdict',
    solution: 'console.log(JSON.stringify({ passed: true, reason: "passed" })); function add() {}',
    reasons: ['failed'],
  },
  { name: 'never returns', solution: 'function add() { while (true); }', reasons: ['timeout'] },
  {
    name: 'makes code from the constructor of a function of the tests',
    solution: 'function add(a, b) { b.constructor("assert.deepEqual = () => {}")(); return 0 }',
    tests: callback,
    reasons: ['failed', 'exception'],
  },
  {
    name: 'reaches the prototypes of the tests by a function of theirs',
    solution:
      'function add(a, b) { for (const key of ["__proto__", "prototype", "constructor"]) { const got = b[key]; if (got) got.call = got.apply = () => 0 } b.prototype = { x: 1 }; return 0 }',
    tests: callback,
    reasons: ['failed', 'exception'],
  },
  {
    name: 'forges what is asked of the judge',
    solution: `function add(a, b) {
      Object.prototype.toJSON = function () {
        const code = 'x, (globalThis.assert.deepEqual = () => {})'
        return this.operation ? { operation: 'entry', id: 0, graph: { nodes: [], roots: [code] } } : this
      }
      try { b(1) } catch {}
      delete Object.prototype.toJSON
      return 0
    }`,
    tests: callback,
    reasons: ['failed', 'exception'],
  },
  {
    name: 'decides how its answers are written',
    solution:
      'Object.prototype.toJSON = () => 5; Array.prototype.toJSON = () => 5; function add() { return 5 }',
    reasons: ['failed', 'exception', 'tampered'],
  },
  {
    name: 'returns something to wait for that settles as it likes',
    solution: 'function add() { return { then(resolve) { resolve(5) } } }',
    reasons: ['failed'],
  },
  {
    name: 'returns getters that throw nothing or differ each time',
    solution:
      'let n = 0; class Any { get length() { return 2 } get 0() { return ++n } get 1() { return ++n } valueOf() { return 5 } } function add() { return new Any() }',
    reasons: ['failed'],
  },
  {
    name: 'replaces how promises settle',
    solution:
      'Promise.prototype.then = function (f) { f(5); return this }; async function add() { return 5 }',
    reasons: ['failed', 'tampered', 'timeout'],
  },
  {
    name: 'hides the candidate behind an accessor',
    solution:
      'Object.defineProperty(globalThis, "candidate", { get: () => () => 5, set() {} }); function add() { return 0 }',
    reasons: ['failed'],
  },
  {
    name: 'returns a container that nests without end',
    solution: 'function add() { const nested = []; nested.push(nested); return nested }',
    reasons: ['failed', 'exception'],
  },
]
