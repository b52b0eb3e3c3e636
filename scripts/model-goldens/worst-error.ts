/** The largest difference over the largest magnitude expected. Infinite where lengths differ or a value is not a number. */
export function worstRelativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY
  let difference = 0
  let magnitude = 0
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs((actual[i] as number) - (expected[i] as number))
    difference = Number.isNaN(off) ? Number.POSITIVE_INFINITY : Math.max(difference, off)
    magnitude = Math.max(magnitude, Math.abs(expected[i] as number))
  }
  return difference === 0 ? 0 : difference / magnitude
}
