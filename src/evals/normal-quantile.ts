/**
 * The quantile of the standard normal distribution for p in (0, 1), by bisection of `normalCdf`; exact to 1e-9, which is
 * far below any sampling error here.
 */
export function normalQuantile(p: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`normalQuantile: p must lie between 0 and 1, got ${p}`)
  let [low, high] = [-10, 10]
  while (high - low > 1e-10) {
    const middle = (low + high) / 2
    if (normalCdf(middle) < p) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** P(Z <= z) by the series of Marsaglia (2004): 1/2 + phi(z) (z + z^3/3 + z^5/15 + ...). For |z| up to about 7. */
function normalCdf(z: number): number {
  if (z < -7) return 0
  if (z > 7) return 1
  let term = z
  let sum = z
  for (let i = 3; Math.abs(term) > 1e-17; i += 2) {
    term *= (z * z) / i
    sum += term
  }
  return 0.5 + sum * (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI))
}
