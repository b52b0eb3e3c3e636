import { defaultLimits, type Limits } from './types.ts'

/** The largest value that each cap may have. */
export const largestLimits: Limits = {
  milliseconds: 3_600_000,
  memoryBytes: 2 ** 40,
  outputBytes: 2 ** 28,
  processes: 4096,
  fileBytes: 2 ** 36,
}

/** The limits in full. Throws a RangeError that names the first one that is not a positive integer in range. */
export function completeLimits(given: Partial<Limits> = {}): Limits {
  const complete = { ...defaultLimits }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    if (!(name in largestLimits)) {
      throw new RangeError(`limits.${name} is unknown; known are ${Object.keys(largestLimits).join(', ')}`)
    }
    const limit = name as keyof Limits
    if (!Number.isInteger(value) || value < 1 || value > largestLimits[limit]) {
      throw new RangeError(`limits.${name} is ${value}; give an integer from 1 to ${largestLimits[limit]}`)
    }
    complete[limit] = value
  }
  return complete
}
