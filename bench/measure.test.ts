import { expect, test } from 'vitest'
import { limitOf, median, summarise } from './measure.ts'

test('a speed is the median over the calls of all rounds, so that one slow round does not move it', () => {
  const rounds = [
    { tokens: 100, seconds: [1, 2] },
    { tokens: 100, seconds: [1, 50] },
    { tokens: 100, seconds: [1] },
  ]
  expect(summarise(rounds, false)).toBe(100)
})

test('a peak of memory is the smallest of the rounds', () => {
  expect(summarise([{ peakBytes: 9 }, { peakBytes: 7 }], false)).toBe(7)
})

test('one sequence is compared by decoding alone where the peer reports it', () => {
  const measured = [{ tokens: 64, seconds: [2], decodeTokensPerSecond: 40 }]
  expect(summarise(measured, true)).toBe(40)
  expect(summarise(measured, false)).toBe(32)
})

test('the median of an even number of values is the mean of the middle two', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5)
})

test('the limit is that of the fastest kernel of the type, and unknown where the CPU has none', () => {
  const peaks = {
    threads: 2,
    gflops: {
      f32Avx512: { oneThread: 100, allThreads: 200 },
      f32Portable: { oneThread: 20, allThreads: 40 },
    },
    readGigabytesPerSecond: { oneThread: 30, allThreads: 50 },
  }
  expect(limitOf(peaks, 'f32')).toBe(200e9)
  expect(limitOf(peaks, 'bandwidth')).toBe(50e9)
  expect(limitOf(peaks, 'bf16')).toBeNull()
})
