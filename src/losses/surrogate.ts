import { clip } from './clip.ts'

/**
 * A per-token policy objective, to be minimised: its value and its derivative in the log-probability l, as functions of the
 * ratio r = exp(l - lo), the advantage A and l itself.
 */
export interface PolicyTerm {
  /** False when the term reads l alone, so that the old log-probabilities may be missing. */
  usesRatio: boolean
  value(ratio: number, advantage: number, logprob: number): number
  derivative(ratio: number, advantage: number): number
}

/**
 * PPO's clipped surrogate `-min(r*A, clip(r, 1 - clipLow, 1 + clipHigh)*A)`; with a dual clip c the objective of a token of
 * negative advantage is held above c*A, so a token that became far likelier stops pulling.
 */
export function clippedSurrogate(clipLow: number, clipHigh: number, dualClip: number | null): PolicyTerm {
  const low = 1 - clipLow
  const high = 1 + clipHigh
  return {
    usesRatio: true,
    value: (ratio, advantage) => {
      const objective = Math.min(ratio * advantage, clip(ratio, low, high) * advantage)
      return -(dualClip !== null && advantage < 0 ? Math.max(objective, dualClip * advantage) : objective)
    },
    derivative: (ratio, advantage) => {
      if (advantage > 0 ? ratio > high : ratio < low) return 0
      if (dualClip !== null && advantage < 0 && ratio > dualClip) return 0
      return -ratio * advantage
    },
  }
}

/** The plain policy gradient `-A*l`. */
export const policyGradient: PolicyTerm = {
  usesRatio: false,
  value: (_ratio, advantage, logprob) => -advantage * logprob,
  derivative: (_ratio, advantage) => -advantage,
}
