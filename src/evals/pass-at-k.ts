/**
 * Unbiased estimate of pass@k for one problem: the chance that at least one of k samples, drawn without replacement
 * from n of which c are correct, is correct: `1 - C(n - c, k) / C(n, k)` (arXiv 2107.03374), as a product that does not
 * overflow.
 *
 * @param n samples drawn, an integer of at least 1
 * @param c correct samples, an integer in [0, n]
 * @param k samples the user would draw, an integer in [1, n]; k > n has no unbiased estimate and is refused
 */
export function passAtK(n: number, c: number, k: number): number {
  if (!Number.isInteger(n) || n < 1)
    throw new RangeError(`passAtK: n must be an integer of at least 1, got ${n}`)
  if (!Number.isInteger(c) || c < 0 || c > n)
    throw new RangeError(`passAtK: c must be an integer in [0, ${n}], got ${c}`)
  if (!Number.isInteger(k) || k < 1 || k > n) {
    throw new RangeError(
      `passAtK: k must be an integer in [1, ${n}], got ${k}; draw at least k samples a problem`,
    )
  }
  if (n - c < k) return 1
  let allWrong = 1
  for (let drawn = n - c + 1; drawn <= n; drawn++) allWrong *= 1 - k / drawn
  return 1 - allWrong
}
