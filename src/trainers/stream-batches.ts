import { seededRandom } from '../data/index.ts'
import { type BatchSize, startBatch } from './batches.ts'

export interface StreamBatches<T> {
  /** The batch of a step. Steps asked for in order are read on; for another the stream is read again from its beginning. */
  at(step: number): Promise<T[]>
  /** Lets go of what the stream holds open. */
  close(): Promise<void>
}

export interface StreamOrder {
  /** Items among which the next one is drawn; 1 keeps the stream's own order. */
  shuffleAmong: number
  /** Parts of the order's seed. */
  seed: readonly (string | number)[]
}

/**
 * Batches of a stream that is too long to hold: epoch after epoch, each item drawn among the next `shuffleAmong`. The batches
 * follow from stream and seed alone, so that a stage that goes on from a step finds it by reading up to it.
 *
 * @throws RangeError when a pass over the stream gives no items
 */
export function streamBatches<T>(
  open: () => AsyncIterable<T>,
  tokensOf: (item: T) => number,
  size: BatchSize,
  order: StreamOrder,
): StreamBatches<T> {
  let batches = allBatches(open, tokensOf, size, order)
  let next = 0
  return {
    async at(step) {
      if (step < next) {
        await batches.return(undefined)
        batches = allBatches(open, tokensOf, size, order)
        next = 0
      }
      for (;;) {
        const { value } = await batches.next()
        if (next++ === step) return value as T[]
      }
    },
    async close() {
      await batches.return(undefined)
    },
  }
}

async function* allBatches<T>(
  open: () => AsyncIterable<T>,
  tokensOf: (item: T) => number,
  size: BatchSize,
  { shuffleAmong, seed }: StreamOrder,
): AsyncGenerator<T[]> {
  for (let epoch = 0; ; epoch++) {
    const batch = startBatch<T>(size)
    for await (const item of drawn(open(), shuffleAmong, [...seed, epoch])) {
      const full = batch.add(item, tokensOf(item))
      if (full) yield full
    }
    const rest = batch.rest()
    if (rest.length === 0)
      throw new RangeError(`reading the stream for epoch ${epoch} gave nothing to train on`)
    yield rest
  }
}

async function* drawn<T>(items: AsyncIterable<T>, among: number, seed: (string | number)[]) {
  const random = seededRandom(...seed)
  const waiting: T[] = []
  const take = () => {
    const index = random.integer(0, waiting.length - 1)
    const item = waiting[index]!
    waiting[index] = waiting.at(-1)!
    waiting.pop()
    return item
  }
  for await (const item of items) {
    waiting.push(item)
    if (waiting.length >= among) yield take()
  }
  while (waiting.length > 0) yield take()
}
