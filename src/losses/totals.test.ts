import { describe, expect, it } from 'vitest'
import { tokenTotals } from './totals.ts'

describe('tokenTotals', () => {
  it('counts trained tokens, and the sequences that have any', () => {
    expect(tokenTotals([[1, 0, 1], [0, 0], [1]])).toEqual({ sequences: 2, tokens: 3 })
  })
  it('refuses a batch in which nothing trains', () => {
    expect(() => tokenTotals([[0, 0], []])).toThrow(/nothing to train on/)
  })
  it('refuses masks that are no masks', () => {
    expect(() => tokenTotals([[1, Number.NaN]])).toThrow(/0 and 1 only, got NaN at token 1/)
  })
})
