import { describe, expect, test } from 'vitest'
import { seededRandom } from '../data/random.ts'
import { compareResults, tasksNeeded } from './compare-results.ts'
import { normalQuantile } from './normal-quantile.ts'
import type { EvalResult } from './result.ts'
import { signFlipTest } from './sign-flip-test.ts'

/** A result with the given numbers of passed samples, one task each. */
function result(passed: number[], samples = 1): EvalResult {
  const verdicts = passed.flatMap((count, task) =>
    Array.from({ length: samples }, (_, i) => ({
      task_id: `t${task}`,
      passed: i < count,
      reason: i < count ? 'passed' : 'failed',
    })),
  )
  return { verdicts, passAtK: {} }
}

test('a clear difference is shown, with the better side named', () => {
  const weak = result([...Array(20).fill(0), ...Array(20).fill(1)])
  const strong = result(Array(40).fill(1))
  const comparison = compareResults(weak, strong)
  expect(comparison).toMatchObject({
    tasks: 40,
    first: 0.5,
    second: 1,
    difference: 0.5,
    better: 20,
    worse: 0,
    conclusion: 'second is better',
  })
  expect(comparison.interval[0]).toBeGreaterThan(0.3)
  expect(comparison.pValue).toBeCloseTo(2 * 0.5 ** 20, 12)
  expect(compareResults(strong, weak)).toMatchObject({ difference: -0.5, conclusion: 'first is better' })
})
test('equal results show no difference, and few tasks never look certain', () => {
  const comparison = compareResults(result([1, 0, 1]), result([1, 0, 1]))
  expect(comparison).toMatchObject({ difference: 0, pValue: 1, conclusion: 'no difference shown' })
  expect(comparison.interval[0]).toBeLessThan(-0.2)
  expect(comparison.interval[1]).toBeGreaterThan(0.2)
})
test('five tasks won of five are too few to show a difference', () => {
  expect(compareResults(result([0, 0, 0, 0, 0]), result([1, 1, 1, 1, 1]))).toMatchObject({
    pValue: 0.0625,
    conclusion: 'no difference shown',
  })
})
test('pairing by task shows a difference that the same rates unpaired would hide', () => {
  const base = Array.from({ length: 100 }, (_, i) => (i < 50 ? 1 : 0))
  const better = base.map((passed, i) => (i >= 50 && i < 58 ? 1 : passed))
  expect(compareResults(result(base), result(better))).toMatchObject({
    difference: 0.08,
    conclusion: 'second is better',
  })
  expect(compareResults(result(base), result(better.toReversed()))).toMatchObject({
    conclusion: 'no difference shown',
  })
})
test('samples of one task count as one task, also when their numbers differ', () => {
  const comparison = compareResults(result([5, 0, 10], 10), result([1, 0, 4], 4))
  expect(comparison.tasks).toBe(3)
  expect(comparison.difference).toBeCloseTo((0.25 - 0.5) / 3, 12)
})
test('tasks of one side only are listed and left out; other tasks altogether are refused', () => {
  expect(compareResults(result([1, 1, 0]), result([1, 1]))).toMatchObject({
    tasks: 2,
    onlyInFirst: ['t2'],
    onlyInSecond: [],
  })
  const other: EvalResult = { verdicts: [{ task_id: 'z', passed: true, reason: 'passed' }], passAtK: {} }
  expect(() => compareResults(result([1]), other)).toThrow(/no task in common/)
  const tasks = { name: 'a', total: 1, attempted: 1, sha256: 'x' }
  expect(() =>
    compareResults({ ...result([1]), tasks }, { ...result([1]), tasks: { ...tasks, sha256: 'y' } }),
  ).toThrow(/different tasks/)
})

describe('sign-flip test', () => {
  test('equals the exact McNemar test for single samples', () => {
    const binomial = [1, 10, 45, 120].reduce((sum, ways) => sum + ways, 0) / 1024
    expect(signFlipTest([1, 1, 1, 1, 1, 1, 1, -1, -1, -1, 0, 0], 1)).toBeCloseTo(2 * binomial, 12)
  })
  test('equals enumeration of all signs for unequal differences', () => {
    const differences = [3, -1, 4, 1, -5, 2, 6]
    const observed = Math.abs(differences.reduce((sum, x) => sum + x, 0))
    let extreme = 0
    for (let signs = 0; signs < 2 ** 7; signs++) {
      const sum = differences.reduce((total, x, i) => total + ((signs >> i) & 1 ? x : -x), 0)
      if (Math.abs(sum) >= observed) extreme += 1
    }
    expect(signFlipTest(differences, 10)).toBeCloseTo(extreme / 2 ** 7, 12)
  })
  test('denominators beyond the grid hardly move it', () => {
    const differences = [3, -1, 4, 1, -5, 2, 6, 2, 2]
    expect(
      signFlipTest(
        differences.map((x) => x * 12_345),
        123_450,
      ),
    ).toBeCloseTo(signFlipTest(differences, 10), 6)
  })
})

test('of models that are equally good, about one pair in twenty or fewer is called different', () => {
  const random = seededRandom('equal models')
  let shown = 0
  for (let pair = 0; pair < 400; pair++) {
    const draw = () => result(Array.from({ length: 60 }, (_, i) => (random.next() < (i % 10) / 10 ? 1 : 0)))
    if (compareResults(draw(), draw()).conclusion !== 'no difference shown') shown += 1
  }
  expect(shown / 400).toBeLessThanOrEqual(0.06)
  expect(shown).toBeGreaterThan(0)
})
test('with the planned number of tasks the planned difference is seen about 80 times in 100', () => {
  const random = seededRandom('power')
  const [low, high] = [0.4, 0.6]
  const deviation = Math.sqrt(low * (1 - low) + high * (1 - high))
  const tasks = tasksNeeded(high - low, deviation)
  let shown = 0
  for (let pair = 0; pair < 300; pair++) {
    const draw = (rate: number) => result(Array.from({ length: tasks }, () => (random.next() < rate ? 1 : 0)))
    if (compareResults(draw(low), draw(high)).conclusion === 'second is better') shown += 1
  }
  expect(shown / 300).toBeGreaterThan(0.7)
  expect(shown / 300).toBeLessThan(0.9)
})
test('the 95 % interval holds the true difference about 95 times in 100', () => {
  const random = seededRandom('coverage')
  let held = 0
  for (let pair = 0; pair < 400; pair++) {
    const draw = (rate: number) => result(Array.from({ length: 50 }, () => (random.next() < rate ? 1 : 0)))
    const { interval } = compareResults(draw(0.3), draw(0.45))
    if (interval[0] <= 0.15 && interval[1] >= 0.15) held += 1
  }
  expect(held / 400).toBeGreaterThan(0.92)
})
test('equal results do not make a difference look easy to see: its own spread is planned for', () => {
  const same = result(Array(100).fill(1))
  expect(compareResults(same, same, 0.1).tasksNeeded).toEqual([{ difference: 0.1, tasks: 71 }])
  const several = result(Array(100).fill(2), 3)
  expect(compareResults(several, several, 0.1).tasksNeeded).toEqual([{ difference: 0.1, tasks: 71 }])
})
test('normal quantiles are those of the tables, and sizes outside (0, 1] are refused', () => {
  expect(normalQuantile(0.975)).toBeCloseTo(1.959963985, 8)
  expect(normalQuantile(0.8)).toBeCloseTo(0.841621234, 8)
  expect(normalQuantile(0.5)).toBeCloseTo(0, 8)
  expect(tasksNeeded(0.05, 0.5)).toBe(785)
  expect(() => tasksNeeded(0, 0.5)).toThrow(/\(0, 1\]/)
})
