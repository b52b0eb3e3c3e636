import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../data/random.ts'
import { passAtK } from './pass-at-k.ts'
import { estimatePassAtK } from './pass-at-k-estimates.ts'

const golden = JSON.parse(await readFile('tests/goldens/losses/pass-at-k.json', 'utf8'))

describe('the unbiased estimator', () => {
  test.each(
    golden.cases as {
      name: string
      inputs: { samples: number[]; correct: number[] }
      config: { k: number }
      expected: { perProblem: number[]; mean: number }
    }[],
  )('equals the golden vector: $name', ({ inputs, config, expected }) => {
    const tallies = inputs.samples.map((samples, i) => ({ samples, correct: inputs.correct[i]! }))
    for (const [i, { samples, correct }] of tallies.entries()) {
      expect(passAtK(samples, correct, config.k)).toBeCloseTo(expected.perProblem[i]!, 10)
    }
    expect(estimatePassAtK(tallies, [config.k])[0]!.value).toBeCloseTo(expected.mean, 10)
  })
  test('is the chance found by enumeration of all subsets', () => {
    for (const [n, c, k] of [
      [6, 2, 3],
      [5, 0, 2],
      [7, 7, 1],
      [6, 1, 6],
    ] as const) {
      let [hits, all] = [0, 0]
      for (let subset = 0; subset < 2 ** n; subset++) {
        const members = Array.from({ length: n }, (_, i) => i).filter((i) => (subset >> i) & 1)
        if (members.length !== k) continue
        all += 1
        if (members.some((i) => i < c)) hits += 1
      }
      expect(passAtK(n, c, k)).toBeCloseTo(hits / all, 12)
    }
  })
  test('refuses what has no estimate', () => {
    expect(() => passAtK(3, 0, 5)).toThrow(/draw at least k samples/)
    expect(() => passAtK(3, 4, 1)).toThrow(RangeError)
    expect(() => passAtK(0, 0, 1)).toThrow(RangeError)
  })
})

describe('over tasks', () => {
  const tallies = Array.from({ length: 50 }, (_, i) => ({ samples: 10, correct: i % 11 }))
  test('every k up to the fewest samples is estimated, rising with k, inside its interval', () => {
    const estimates = estimatePassAtK([...tallies, { samples: 4, correct: 1 }])
    expect(estimates.map(({ k }) => k)).toEqual([1, 2, 3, 4])
    for (const { value, low, high } of estimates) {
      expect(low).toBeLessThan(value)
      expect(value).toBeLessThan(high)
    }
    expect(estimates.map(({ value }) => value)).toEqual(estimates.map(({ value }) => value).toSorted())
  })
  test('equal tallies give equal intervals, bit for bit', () => {
    expect(estimatePassAtK(tallies)).toEqual(estimatePassAtK(tallies))
  })
  test('the interval holds the true pass@1 about 95 times in 100', () => {
    const random = seededRandom('bootstrap coverage')
    let held = 0
    for (let trial = 0; trial < 100; trial++) {
      const drawn = Array.from({ length: 60 }, () => {
        const rate = random.next()
        return {
          samples: 5,
          correct: Array.from({ length: 5 }, () => random.next()).filter((x) => x < rate).length,
        }
      })
      const { low, high } = estimatePassAtK(drawn, [1])[0]!
      if (low <= 0.5 && high >= 0.5) held += 1
    }
    expect(held).toBeGreaterThanOrEqual(89)
    expect(held).toBeLessThan(100)
  })
  test('no tasks are refused', () => {
    expect(() => estimatePassAtK([])).toThrow(/no tasks/)
  })
})
