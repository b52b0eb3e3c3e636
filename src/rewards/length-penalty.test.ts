import { describe, expect, it } from 'vitest'
import { linearLengthPenalty, softOverlongPenalty } from './length-penalty.ts'

describe('linearLengthPenalty', () => {
  it('charges tokens beyond the free ones, up to the largest penalty', () => {
    const options = { freeLength: 100, perToken: 0.01, largest: 0.5 }
    expect([0, 100, 110, 1000].map((length) => linearLengthPenalty(options, length))).toEqual([
      0, 0, -0.1, -0.5,
    ])
  })
})

describe('softOverlongPenalty', () => {
  it('is 0, then linear, then -1, at each of its corners', () => {
    const options = { maxLength: 100, cacheLength: 20 }
    expect([0, 80, 81, 90, 100, 101, 9999].map((length) => softOverlongPenalty(options, length))).toEqual([
      0, 0, -0.05, -0.5, -1, -1, -1,
    ])
  })
  it('is a hard limit without a cache', () => {
    expect([30, 31].map((length) => softOverlongPenalty({ maxLength: 30, cacheLength: 0 }, length))).toEqual([
      0, -1,
    ])
  })
  it('refuses a cache longer than the limit and a length that is none', () => {
    expect(() => softOverlongPenalty({ maxLength: 10, cacheLength: 11 }, 5)).toThrow(
      /at most maxLength 10, got 11/,
    )
    expect(() => softOverlongPenalty({}, Number.NaN)).toThrow(/at least 0, got NaN/)
    expect(() => linearLengthPenalty({}, -1)).toThrow(/at least 0, got -1/)
  })
})
