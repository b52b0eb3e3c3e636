import { describe, expect, it } from 'vitest'
import { batchPlan, inBatches, shuffled } from './batches.ts'

const lengths = [5, 3, 8, 2, 9, 4, 1, 20]
const steps = (plan: ReturnType<typeof batchPlan>, count: number) =>
  Array.from({ length: count }, (_, step) => plan.at(step))

describe('batchPlan', () => {
  it.each([{ examples: 3 }, { tokens: 10 }])('shows every example once an epoch with %o', (size) => {
    const plan = batchPlan(lengths, size, ['s', 1])
    for (const epoch of [0, 1, 2]) {
      const seen: number[] = []
      for (let step = plan.stepsOf(epoch); step < plan.stepsOf(epoch + 1); step++) seen.push(...plan.at(step))
      expect(seen.sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i))
    }
  })

  it('keeps to its size, but for an example that is larger by itself', () => {
    for (const batch of steps(batchPlan(lengths, { tokens: 10 }, [1]), 20)) {
      const tokens = batch.reduce((sum, i) => sum + lengths[i]!, 0)
      expect(tokens <= 10 || batch.length === 1).toBe(true)
    }
    const sizes = steps(batchPlan(lengths, { examples: 3 }, [1]), 6).map((batch) => batch.length)
    expect(sizes).toEqual([3, 3, 2, 3, 3, 2])
  })

  it('is a function of seed and step, in whatever order steps are asked for', () => {
    const size = { tokens: 12 }
    const all = steps(batchPlan(lengths, size, [7]), 30)
    const other = batchPlan(lengths, size, [7])
    for (const step of [29, 3, 17, 0]) expect(other.at(step)).toEqual(all[step])
    expect(steps(batchPlan(lengths, size, [8]), 30)).not.toEqual(all)
  })

  it('orders epochs differently', () => {
    const plan = batchPlan(lengths, { examples: 8 }, [1])
    expect(plan.at(0)).not.toEqual(plan.at(1))
  })

  it('refuses to plan without examples', () => {
    expect(() => batchPlan([], { examples: 1 }, [1])).toThrow('no examples')
  })
})

describe('shuffled', () => {
  it('puts every number in every place about equally often', () => {
    const counts = Array.from({ length: 3 }, () => [0, 0, 0])
    for (let seed = 0; seed < 3000; seed++)
      shuffled(3, [seed]).forEach((number, place) => {
        counts[number]![place]!++
      })
    for (const count of counts.flat()) expect(Math.abs(count - 1000)).toBeLessThan(120)
  })
})

describe('inBatches', () => {
  it('cuts in order and makes no empty batch', () => {
    const cut = (items: number[], size: { tokens: number }) => inBatches(items, (item) => item, size)
    expect(cut([4, 4, 4, 9, 1], { tokens: 8 })).toEqual([[4, 4], [4], [9], [1]])
    expect(cut([], { tokens: 8 })).toEqual([])
  })
})
