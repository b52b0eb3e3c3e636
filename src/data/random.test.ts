import { expect, test } from 'vitest'
import { seededRandom } from './random.ts'

const draw = (...parts: (string | number)[]) => {
  const random = seededRandom(...parts)
  return Array.from({ length: 5 }, () => random.integer(0, 1e6))
}

test('equal seeds give equal numbers, and seeds that join to the same text do not', () => {
  expect(draw('a', 1)).toEqual(draw('a', 1))
  expect(draw('a', 1, 12)).not.toEqual(draw('a', 11, 2))
  expect(draw('a', 1)).not.toEqual(draw('a', '1'))
})
test('integers fill their range evenly, both ends included', () => {
  const random = seededRandom('evenness')
  const counts = new Array(7).fill(0)
  for (let i = 0; i < 70_000; i++) counts[random.integer(-3, 3) + 3] += 1
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500)
})
test('picking from nothing is refused', () => {
  expect(() => seededRandom('x').pick([])).toThrow(/nothing to pick/)
})
