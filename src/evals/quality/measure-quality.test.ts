import { describe, expect, test } from 'vitest'
import { measureQuality } from './measure-quality.ts'
import { summariseQuality } from './summarise-quality.ts'

const rulesOf = async (source: string, language: 'python' | 'javascript' | 'typescript') =>
  (await measureQuality(source, language)).smells.map(({ rule, line }) => `${rule}:${line}`)

const python = `# Counts.
def classify(values, limit):
    """Docstring."""
    found = []
    for value in values:
        if value > limit and value % 2 == 0 or value < 0:
            for part in [v for v in values if v]:
                found.append(part)  # keep
        elif value == 0:
            continue
    return found if found else None
`

describe('complexity, nesting and length', () => {
  test('Python follows McCabe with short-circuit operators and comprehensions', async () => {
    const { functions, parses } = await measureQuality(python, 'python')
    expect(parses).toBe(true)
    expect(functions[1]).toEqual({
      name: 'classify',
      line: 2,
      lines: 10,
      parameters: 2,
      complexity: 10,
      nesting: 3,
    })
    expect(functions[0]).toMatchObject({ name: '(module)', complexity: 1, nesting: 0 })
  })
  test('JavaScript counts an inner function apart and else-if on the level of its if', async () => {
    const source = `function outer(a, b) {
  const inner = (x) => (x ? 1 : 2)
  if (a) return 1
  else if (b && a) return 2
  else if (b ?? a) { while (b) b-- }
  switch (a) { case 1: break; case 2: break; default: }
  return inner(a)
}`
    const { functions } = await measureQuality(source, 'javascript')
    expect(functions.map(({ name, complexity, nesting }) => [name, complexity, nesting])).toEqual([
      ['(module)', 1, 0],
      ['outer', 9, 2],
      ['inner', 2, 0],
    ])
  })
  test('TypeScript methods are measured by name', async () => {
    const { functions } = await measureQuality(
      'class A { size(n: number): number { return n > 0 ? n : 0 } }',
      'typescript',
    )
    expect(functions[1]).toMatchObject({ name: 'size', complexity: 2, parameters: 1 })
  })
  test('each case of a match is a path, the one for all that is left is not', async () => {
    const source =
      'def f(x):\n    match x:\n        case 1:\n            return 1\n        case [a, b]:\n            return a\n        case _:\n            return 0\n'
    expect((await measureQuality(source, 'python')).functions[1]).toMatchObject({ complexity: 3, nesting: 1 })
  })
  test('every further branch adds exactly one', async () => {
    const complexity = async (count: number) => {
      const source = `def f(x):\n${'    if x:\n        x = x - 1\n'.repeat(count)}    return x\n`
      return (await measureQuality(source, 'python')).functions[1]?.complexity
    }
    expect(await Promise.all([0, 1, 7].map(complexity))).toEqual([1, 2, 8])
  })
})

test('comments and docstrings are counted apart from code', async () => {
  expect(await measureQuality(python, 'python')).toMatchObject({ codeLines: 9, commentLines: 3 })
  expect(await measureQuality('// a\nconst x = 1 // b\n/* c\n d */\n', 'javascript')).toMatchObject({
    codeLines: 1,
    commentLines: 4,
  })
})

describe('naming', () => {
  test('Python wants snake_case, CapWords and allows constants', async () => {
    const source =
      'MAX_SIZE = 3\nclass badName:\n    pass\ndef doIt(goodName, x):\n    for i in x:\n        __ = i\n'
    const { names } = await measureQuality(source, 'python')
    expect(names).toEqual({ count: 7, unconventional: ['badName', 'doIt', 'goodName'], oneLetter: ['x'] })
  })
  test('JavaScript wants camelCase; what a default value mentions is not introduced by it', async () => {
    const source =
      'function do_it({ first: second_one, third = Other }, ...rest) { const [q, fine] = rest; obj.snake_case = 1 }'
    const { names } = await measureQuality(source, 'javascript')
    expect(names).toEqual({ count: 6, unconventional: ['do_it', 'second_one'], oneLetter: ['q'] })
  })
})

describe('smells', () => {
  test.each([
    ['try:\n    x()\nexcept:\n    pass\n', ['bare-except:3', 'empty-except:3']],
    ['def f(a=[]):\n    return a\n', ['mutable-default:1']],
    ['if a == None:\n    b()\n', ['none-comparison:1']],
    ['c = a == True\n', ['boolean-comparison:1']],
    ['d = type(a) == int\n', ['type-comparison:1']],
    ['d = a == a\n', ['self-comparison:1']],
    ['from os import *\n', ['wildcard-import:1']],
    ['eval("1")\nprint(2)\n', ['dynamic-code:1', 'debug-output:2']],
    ['f = lambda: 1\nlist = 2\n', ['lambda-assignment:1', 'shadowed-builtin:2']],
    [
      'def f():\n    used = 1\n    lost = used\n    return 2\n    used += 1\n',
      ['unused-variable:3', 'unreachable-code:5'],
    ],
    ['def f(a, b, c, d, e, g):\n    return a\n', ['too-many-parameters:1']],
    ['for i in range(len(a)):\n    use(a[i])\n', ['range-len:1']],
    ['for i in range(len(a)):\n    a[i] = 0\n', []],
    ['if 1:\n    a()\n', ['constant-condition:1']],
  ])('Python: %j', async (source, expected) => {
    expect(await rulesOf(source, 'python')).toEqual(expected)
  })
  test.each([
    ['if (a == 1) b()', ['loose-equality:1']],
    ['if (a == null) b()', []],
    ['var a = 1', ['var-declaration:1']],
    ['try { a() } catch (e) {}', ['empty-catch:1']],
    [
      'eval("1"); new Function("1"); console.log(1); debugger',
      ['dynamic-code:1', 'dynamic-code:1', 'debug-output:1', 'debug-output:1'],
    ],
    ['if (a = 1) b()', ['assignment-in-condition:1']],
    ['if (a === a) b(); if (true) c()', ['self-comparison:1', 'constant-condition:1']],
    ['x = a ? b : c ? d : e', ['nested-ternary:1']],
    ['function f() { const kept = 1; let lost = 2; return () => kept }', ['unused-variable:1']],
    ['function f() { throw 1\n f() }', ['unreachable-code:2']],
  ])('JavaScript: %s', async (source, expected) => {
    expect(await rulesOf(source, 'javascript')).toEqual(expected)
  })
  test('TypeScript: any and suppressed checks', async () => {
    expect(await rulesOf('// @ts-ignore\nconst a: any = 1', 'typescript')).toEqual([
      'suppressed-check:1',
      'explicit-any:2',
    ])
  })
})

test('source with errors is measured and said not to parse', async () => {
  expect(await measureQuality('def f(:\n  return', 'python')).toMatchObject({ parses: false })
})
test('very deep nesting neither crashes nor hangs, and huge source is refused', async () => {
  const { parses } = await measureQuality(`x = ${'('.repeat(20_000)}1${')'.repeat(20_000)}`, 'python')
  expect(typeof parses).toBe('boolean')
  await expect(measureQuality('x'.repeat(2 ** 20 + 1), 'python')).rejects.toThrow(/1048577 characters/)
})
test('a summary averages programs and counts those with a smell once', async () => {
  const clean = await measureQuality('def f(a):\n    return a\n', 'python')
  const smelly = await measureQuality(
    'def g(badName):\n    print(badName)\n    print(1)\n    return 1 if badName else 0\n',
    'python',
  )
  expect(summariseQuality([clean, smelly])).toEqual({
    programs: 2,
    parsing: 2,
    codeLines: 3,
    commentLines: 0,
    complexity: 1.5,
    functionLines: 3,
    nesting: 0,
    conventionalNames: 0.75,
    smellsPerProgram: 1,
    programsWithSmell: { 'debug-output': 1 },
  })
})
