/** Differences are rounded to multiples of 1/finest when their common denominator is larger; no p-value moves visibly. */
const finest = 1000

/**
 * The two-sided p-value of the paired sign-flip (permutation) test: how often the sum of the differences would be at least
 * as far from 0 if each difference had its sign by a fair coin, which is so when neither side is better. Exact, by counting
 * over the distribution of the sum. For one sample a task this is McNemar's exact test.
 *
 * @param differences numerators over the denominator, one a task: shape [tasks], integers
 */
export function signFlipTest(differences: number[], denominator: number): number {
  const scale = Math.min(1, finest / denominator)
  const steps = differences
    .map((difference) => Math.round(Math.abs(difference) * scale))
    .filter((step) => step > 0)
  const observed = Math.abs(differences.reduce((sum, difference) => sum + Math.round(difference * scale), 0))
  const range = steps.reduce((sum, step) => sum + step, 0)
  let chance = new Float64Array(2 * range + 1)
  chance[range] = 1
  let reach = 0
  for (const step of steps) {
    chance = flipped(chance, step, range - reach, range + reach)
    reach += step
  }
  let pValue = 0
  for (const [i, probability] of chance.entries()) if (Math.abs(i - range) >= observed) pValue += probability
  return Math.min(1, pValue)
}

/** The distribution after one more coin; only sums from `low` to `high` had a chance so far. */
function flipped(
  chance: Float64Array<ArrayBuffer>,
  step: number,
  low: number,
  high: number,
): Float64Array<ArrayBuffer> {
  const next = new Float64Array(chance.length)
  for (let i = low; i <= high; i++) {
    const half = chance[i]! / 2
    next[i - step]! += half
    next[i + step]! += half
  }
  return next
}
