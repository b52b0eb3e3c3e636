import { describe, expect, it } from 'vitest'
import { streamBatches } from './stream-batches.ts'

const numbers = Array.from({ length: 50 }, (_, index) => index)
async function* stream() {
  yield* numbers
}
const batches = (shuffleAmong: number, seed = 1) =>
  streamBatches(stream, (item) => (item % 7) + 1, { tokens: 20 }, { shuffleAmong, seed: [seed] })

async function first(count: number, shuffleAmong = 10): Promise<number[][]> {
  const source = batches(shuffleAmong)
  const all: number[][] = []
  for (let step = 0; step < count; step++) all.push(await source.at(step))
  return all
}

describe('streamBatches', () => {
  it('shows every item once an epoch, in an order that is new in each', async () => {
    const items = (await first(40)).flat()
    const epochs = [items.slice(0, 50), items.slice(50, 100)]
    for (const epoch of epochs) expect(epoch.toSorted((a, b) => a - b)).toEqual(numbers)
    expect(epochs[0]).not.toEqual(epochs[1])
    expect(epochs[0]).not.toEqual(numbers)
  })

  it('keeps the order of the stream when it draws among one', async () => {
    expect((await first(10, 1)).flat().slice(0, 30)).toEqual(numbers.slice(0, 30))
  })

  it('finds any step again', async () => {
    const all = await first(30)
    const source = batches(10)
    for (const step of [17, 18, 3, 29]) expect(await source.at(step)).toEqual(all[step])
    await source.close()
  })

  it('refuses a stream without items', async () => {
    async function* nothing(): AsyncGenerator<number> {}
    const source = streamBatches(nothing, () => 1, { examples: 1 }, { shuffleAmong: 1, seed: [] })
    await expect(source.at(0)).rejects.toThrow('epoch 0 gave nothing')
  })
})
