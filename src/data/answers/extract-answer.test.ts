import { describe, expect, test } from 'vitest'
import { extractAnswer } from './extract-answer.ts'

const python = { language: 'python', entryPoint: 'solve' } as const
const javascript = { language: 'javascript', entryPoint: 'solve' } as const

describe('fenced blocks', () => {
  test('the block of the language is the answer, prose around it is not', () => {
    expect(extractAnswer('Sure!\n```python\ndef solve():\n    return 1\n```\nIt works.', python)).toBe(
      'def solve():\n    return 1\n',
    )
  })
  test('of several blocks the last that defines the entry point wins over later usage', () => {
    const message =
      '```python\ndef solve(): return 1\n```\nBetter:\n```python\ndef solve(): return 2\n```\nUse:\n```python\nprint(solve())\n```'
    expect(extractAnswer(message, python)).toBe('def solve(): return 2\n')
  })
  test('a block of another language does not count while one of the right language is there', () => {
    const message = '```js\nfunction solve() {}\n```\n```py\ndef solve(): return 2\n```'
    expect(extractAnswer(message, python)).toBe('def solve(): return 2\n')
    expect(extractAnswer(message, javascript)).toBe('function solve() {}\n')
  })
  test('without the right language, unnamed blocks come before those of others', () => {
    expect(extractAnswer('```sh\nrun\n```\n```\ndef solve(): return 3\n```', python)).toBe(
      'def solve(): return 3\n',
    )
    expect(extractAnswer('```\nx = 1\n```\n```sh\nrun\n```', python)).toBe('x = 1\n')
    expect(extractAnswer('```sh\nrun\n```', python)).toBe('run\n')
  })
  test('a fence that is never closed ends with the message', () => {
    expect(extractAnswer('```python\ndef solve():\n    return 1', python)).toBe(
      'def solve():\n    return 1\n',
    )
  })
  test('longer and tilde fences hold shorter ones; an indented fence dedents its code', () => {
    expect(extractAnswer('````python\ndef solve():\n    """```"""\n```\n````', python)).toBe(
      'def solve():\n    """```"""\n```\n',
    )
    expect(extractAnswer('~~~js\nfunction solve() {}\n~~~', javascript)).toBe('function solve() {}\n')
    expect(extractAnswer('1. So:\n   ```python\n   def solve():\n       return 1\n   ```', python)).toBe(
      'def solve():\n    return 1\n',
    )
  })
  test('Windows line ends are understood, an empty block is no answer', () => {
    expect(extractAnswer('```python\r\ndef solve(): return 1\r\n```\r\n', python)).toBe(
      'def solve(): return 1\n',
    )
    expect(extractAnswer('```python\n```', python)).toBeNull()
  })
})

describe('thinking', () => {
  test('code in a think block is not the answer', () => {
    const message =
      '<think>```python\ndef solve(): return 0\n```</think>\n```python\ndef solve(): return 1\n```'
    expect(extractAnswer(message, python)).toBe('def solve(): return 1\n')
  })
  test('a think block that never ends leaves no answer', () => {
    expect(extractAnswer('<think>```python\ndef solve(): return 0\n```', python)).toBeNull()
  })
})

describe('bare code', () => {
  test('is taken whole, with imports and helpers', () => {
    const code = 'import math\n\ndef helper(x):\n    return x\n\ndef solve(x):\n    return helper(x)\n'
    expect(extractAnswer(code, python)).toBe(code)
  })
  test('prose before and after is left out', () => {
    expect(
      extractAnswer('Here is the function:\n\ndef solve(x):\n    return x\n\nThis returns x.', python),
    ).toBe('def solve(x):\n    return x\n')
    expect(extractAnswer('The code:\nconst solve = (x) => {\n  return x\n}\nIt returns x.', javascript)).toBe(
      'const solve = (x) => {\n  return x\n}\n',
    )
  })
  test('must define the entry point', () => {
    expect(extractAnswer('I cannot solve this.', python)).toBeNull()
    expect(extractAnswer('import os\nsolve(3)', python)).toBeNull()
    expect(extractAnswer('', python)).toBeNull()
  })
  test('names with $ and names that contain the entry point are told apart', () => {
    expect(extractAnswer('const $solve$ = () => 1', { language: 'javascript', entryPoint: '$solve$' })).toBe(
      'const $solve$ = () => 1\n',
    )
    expect(extractAnswer('function solveAll() {}', javascript)).toBeNull()
  })
})

test('hostile messages take no time: a megabyte of backticks, spaces or openers', () => {
  const started = performance.now()
  for (const unit of ['`', ' ', '```\n', '<think>', 'solve =', 'a: '])
    extractAnswer(unit.repeat(2 ** 20 / unit.length), python)
  expect(performance.now() - started).toBeLessThan(3000)
})
