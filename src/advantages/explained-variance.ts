import type { FloatArray } from '../engine/contract.ts'
import type { Mask } from '../losses/types.ts'

/**
 * 1 - Var(returns - values) / Var(returns) over the tokens whose mask is 1: 1 is a perfect critic, 0 one that knows no more
 * than the mean, below 0 worse than that. 0 when the returns have no variance.
 */
export function explainedVariance(
  values: readonly FloatArray[],
  returns: readonly FloatArray[],
  masks: readonly Mask[],
): number {
  const variance = populationVariance(masks, (s, t) => returns[s]![t]!)
  const unexplained = populationVariance(masks, (s, t) => returns[s]![t]! - values[s]![t]!)
  return variance > 0 ? 1 - unexplained / variance : 0
}

/** In two passes: the sum of squares minus the square of the sum would cancel when the mean is large. */
function populationVariance(
  masks: readonly Mask[],
  value: (sequence: number, token: number) => number,
): number {
  const mean = (term: (x: number) => number) => {
    let sum = 0
    let count = 0
    for (let s = 0; s < masks.length; s++) {
      const mask = masks[s]!
      for (let t = 0; t < mask.length; t++) {
        if (mask[t] === 0) continue
        sum += term(value(s, t))
        count++
      }
    }
    return count > 0 ? sum / count : 0
  }
  const centre = mean((x) => x)
  return mean((x) => (x - centre) ** 2)
}
