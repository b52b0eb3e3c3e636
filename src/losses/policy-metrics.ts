import { klK3 } from './kl-k3.ts'
import type { TokenTotals } from './types.ts'

interface ClipBounds {
  totals: TokenTotals
  clipLow: number
  clipHigh: number
  clipsBothSigns?: boolean
  dualClip?: number | null
}

/**
 * What a practitioner plots of a policy update, as shares of the batch's trained tokens:
 * - `clipFraction`, `clipFractionLow`, `clipFractionHigh`: tokens whose clipping is active
 * - `dualClipFraction`: tokens of negative advantage with a ratio above the dual clip
 * - `approxKl`: mean of lo - l (k1 of KL(old || new)); `approxKlK3`: mean of r - 1 - log r
 * - `ratioMin`, `ratioMax`: the extremes of the ratio
 * - `kl`: mean estimate of the KL to the reference; `entropy`: mean, when the model reports it
 */
export function policyMetrics({ totals, clipLow, clipHigh, clipsBothSigns, dualClip }: ClipBounds) {
  let clippedLow = 0
  let clippedHigh = 0
  let dualClipped = 0
  let k1 = 0
  let k3 = 0
  let minimum = Infinity
  let maximum = -Infinity
  let kl: number | undefined
  let entropy: number | undefined
  return {
    add(ratio: number, advantage: number, logRatio: number): void {
      if (ratio < 1 - clipLow && (clipsBothSigns || advantage < 0)) clippedLow++
      else if (ratio > 1 + clipHigh && (clipsBothSigns || advantage > 0)) clippedHigh++
      if (dualClip && advantage < 0 && ratio > dualClip) dualClipped++
      k1 -= logRatio
      k3 += klK3.value(-logRatio)
      if (ratio < minimum) minimum = ratio
      if (ratio > maximum) maximum = ratio
    },
    addKl(estimate: number): void {
      kl = (kl ?? 0) + estimate
    },
    addEntropy(nats: number): void {
      entropy = (entropy ?? 0) + nats
    },
    result(): Record<string, number> {
      const { tokens } = totals
      return {
        clipFraction: (clippedLow + clippedHigh) / tokens,
        clipFractionLow: clippedLow / tokens,
        clipFractionHigh: clippedHigh / tokens,
        approxKl: k1 / tokens,
        approxKlK3: k3 / tokens,
        ...(minimum <= maximum && { ratioMin: minimum, ratioMax: maximum }),
        ...(dualClip && { dualClipFraction: dualClipped / tokens }),
        ...(kl !== undefined && { kl: kl / tokens }),
        ...(entropy !== undefined && { entropy: entropy / tokens }),
      }
    },
  }
}
