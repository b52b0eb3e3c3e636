import type { FloatArray } from '../engine/contract.ts'
import type { Mask } from '../losses/types.ts'

/**
 * 1 - Var(returns - values) / Var(returns) over the tokens whose mask is 1: 1 is a perfect critic, 0 one that knows no more than the
 * mean, below 0 worse than that. 0 when the returns have no variance.
 */
export function explainedVariance(
  values: readonly FloatArray[],
  returns: readonly FloatArray[],
  masks: readonly Mask[],
): number {
  const errors: number[] = []
  const targets: number[] = []
  masks.forEach((mask, s) => {
    for (let t = 0; t < mask.length; t++) {
      if (mask[t] === 0) continue
      targets.push(returns[s]![t]!)
      errors.push(returns[s]![t]! - values[s]![t]!)
    }
  })
  const variance = populationVariance(targets)
  return variance > 0 ? 1 - populationVariance(errors) / variance : 0
}

function populationVariance(values: number[]): number {
  if (values.length === 0) return 0
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
}
