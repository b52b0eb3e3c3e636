import { describe, expect, it } from 'vitest'
import { combineUpdates, minibatchesOf } from './minibatches.ts'

describe('minibatchesOf', () => {
  it('takes every row once an epoch, in order within an update', () => {
    const updates = minibatchesOf(10, { epochs: 2, minibatches: 3 }, ['seed'])
    expect(updates.map(({ length }) => length)).toEqual([3, 3, 4, 3, 3, 4])
    for (const epoch of [updates.slice(0, 3), updates.slice(3)])
      expect(epoch.flat().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    for (const update of updates) expect(update).toEqual(update.toSorted((a, b) => a - b))
    expect(updates.slice(0, 3)).not.toEqual(updates.slice(3))
  })

  it('follows from the seed, and makes no more updates than there are rows', () => {
    const of = (seed: string) => minibatchesOf(8, { minibatches: 2 }, [seed])
    expect(of('a')).toEqual(of('a'))
    expect(of('a')).not.toEqual(of('b'))
    expect(minibatchesOf(2, { minibatches: 5 }, [])).toHaveLength(2)
    expect(minibatchesOf(3, {}, [])).toEqual([[0, 1, 2]])
  })
})

describe('combineUpdates', () => {
  it('adds tokens and seconds, keeps extremes, and takes the mean of the rest', () => {
    const outcome = (loss: number, tokens: number, ratioMin: number, ratioMax: number) => ({
      metrics: { loss, tokens, ratioMin, ratioMax },
      seconds: { forwardBackward: 1, optimStep: 2 },
    })
    expect(combineUpdates([outcome(1, 10, 0.5, 1), outcome(3, 30, 0.8, 1.5)])).toEqual({
      metrics: { loss: 2, tokens: 40, ratioMin: 0.5, ratioMax: 1.5 },
      seconds: { forwardBackward: 2, optimStep: 4 },
    })
  })
})
