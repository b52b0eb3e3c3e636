import { countTokens } from './arrays.ts'
import type { Mask, TokenTotals } from './types.ts'

/**
 * Counts a whole batch. A sequence in which nothing trains is not counted, so it dilutes no mean.
 *
 * @throws Error when no token of the batch trains: a run that would train on nothing must not look like success
 */
export function tokenTotals(masks: readonly Mask[]): TokenTotals {
  let sequences = 0
  let tokens = 0
  for (const mask of masks) {
    const count = countTokens(mask)
    tokens += count
    if (count > 0) sequences++
  }
  if (tokens === 0) throw new Error('no token of the batch has mask 1, so there is nothing to train on')
  return { sequences, tokens }
}

/** @throws RangeError unless each total is a positive integer */
export function checkTotals(id: string, totals: object): void {
  for (const [name, value] of Object.entries(totals)) {
    if (Number.isInteger(value) && value > 0) continue
    throw new RangeError(`${id}: the batch's total of ${name} must be a positive integer, got ${value}`)
  }
}
