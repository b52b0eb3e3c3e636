import { z } from 'zod'
import { seededRandom } from '../data/index.ts'

/** A step's worth of training: so many examples, or as many as hold at most so many tokens (at least one). */
export type BatchSize = { examples: number } | { tokens: number }

const count = z.int().min(1)
export const batchSchema = z.union(
  [z.strictObject({ examples: count }), z.strictObject({ tokens: count })],
  'must be { examples: n } or { tokens: n }, n an integer from 1',
)

/** How often the same is seen. Orders of all epochs are drawn before the first step: the bound catches slips of many digits. */
export const epochsSchema = count.max(100_000).optional()

export interface BatchPlan {
  /** Steps in which every example is seen this often. */
  stepsOf(epochs: number): number
  /** The examples of a step, by their numbers. A pure function of the step, which may lie in any epoch. */
  at(step: number): number[]
}

/**
 * Batches of examples in an order that is new in each epoch and follows from the seed alone. An epoch ends with what is left, so
 * that no example is seen twice in one.
 *
 * @param lengths tokens of each example, at least one example
 * @param seed parts of the order's seed
 */
export function batchPlan(
  lengths: readonly number[],
  size: BatchSize,
  seed: readonly (string | number)[],
): BatchPlan {
  if (lengths.length === 0) throw new RangeError('there are no examples to make batches of')
  /** First steps of the epochs known so far, and of the one after them. */
  const starts = [0]
  let latest = { epoch: -1, batches: [] as number[][] }
  const epochOf = (epoch: number) => {
    if (latest.epoch !== epoch)
      latest = {
        epoch,
        batches: inBatches(shuffled(lengths.length, [...seed, epoch]), (i) => lengths[i]!, size),
      }
    return latest.batches
  }
  const startOf = (epoch: number) => {
    while (starts.length <= epoch) starts.push(starts.at(-1)! + epochOf(starts.length - 1).length)
    return starts[epoch]!
  }
  return {
    stepsOf: startOf,
    at(step) {
      while (starts.at(-1)! <= step) startOf(starts.length)
      const epoch = starts.findLastIndex((start) => start <= step)
      return epochOf(epoch)[step - starts[epoch]!]!
    },
  }
}

/** The numbers from 0 below `length` in an order that the seed alone decides (Fisher and Yates). */
export function shuffled(length: number, seed: readonly (string | number)[]): number[] {
  const random = seededRandom(...seed)
  const order = Array.from({ length }, (_, index) => index)
  for (let last = length - 1; last > 0; last--) {
    const other = random.integer(0, last)
    ;[order[last], order[other]] = [order[other]!, order[last]!]
  }
  return order
}

/** Cuts items, in their order, into batches. */
export function inBatches<T>(items: readonly T[], tokensOf: (item: T) => number, size: BatchSize): T[][] {
  const batches: T[][] = []
  const batch = startBatch<T>(size)
  for (const item of items) {
    const full = batch.add(item, tokensOf(item))
    if (full) batches.push(full)
  }
  const rest = batch.rest()
  return rest.length > 0 ? [...batches, rest] : batches
}

/** Gathers items one at a time; `add` gives back the batch before the item where the item no longer fits it. */
export function startBatch<T>(size: BatchSize): {
  add(item: T, tokens: number): T[] | undefined
  rest(): T[]
} {
  let gathered: T[] = []
  let sum = 0
  const fits = (tokens: number) =>
    'examples' in size ? gathered.length < size.examples : sum + tokens <= size.tokens
  return {
    add(item, tokens) {
      const full = gathered.length > 0 && !fits(tokens) ? gathered : undefined
      if (full) [gathered, sum] = [[], 0]
      gathered.push(item)
      sum += tokens
      return full
    },
    rest: () => gathered,
  }
}
