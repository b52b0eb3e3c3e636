import { meanAndSpread } from './groups.ts'

/**
 * (x - mean) / sqrt(variance + epsilon) over all numbers given.
 *
 * @param ddof 1: sample variance (n - 1); 0: population variance
 * @returns zeros where there is no spread, so for a single number
 */
export function whiten(values: Float64Array, epsilon = 1e-8, ddof: 0 | 1 = 1): Float64Array {
  const { mean, std } = meanAndSpread(values, ddof)
  if (std === 0) return new Float64Array(values.length)
  const scale = 1 / Math.sqrt(std * std + epsilon)
  return values.map((value) => (value - mean) * scale)
}

/** As `whiten`, over the tokens of all sequences whose mask is 1; 0 on the others. Shapes: [T] a sequence. */
export function whitenTokens(
  rows: readonly Float64Array[],
  masks: readonly ArrayLike<number>[],
  epsilon = 1e-8,
  ddof: 0 | 1 = 1,
): Float64Array[] {
  const trained: number[] = []
  rows.forEach((row, s) => {
    row.forEach((value, t) => {
      if (masks[s]![t] !== 0) trained.push(value)
    })
  })
  const white = whiten(Float64Array.from(trained), epsilon, ddof)
  let next = 0
  return rows.map((row, s) => row.map((_, t) => (masks[s]![t] !== 0 ? white[next++]! : 0)))
}
