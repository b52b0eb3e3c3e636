/**
 * Masked importance sampling: tokens on which sampler and trainer disagree too much do not train.
 *
 * Formula: w = stop(exp(lo - ls)) within [lower, upper], else 0; the denominator stays the unmasked count
 * Paper: arXiv 2510.18855 (IcePop)
 * Peers: verl's rejection mask shrinks the denominator with the tokens it drops, and its token_k1 bounds the inverse ratio; TRL,
 *   SkyRL, slime, OpenRLHF and we keep the count and bound exp(lo - ls).
 */
import {
  boundOptions,
  type ImportanceWeights,
  importanceWeights,
  type SampledBatch,
} from './importance-weights.ts'
import type { OptionsFor } from './options.ts'

export const isTokenMaskOptions = boundOptions(0.5)

export function isTokenMask(
  options: OptionsFor<typeof isTokenMaskOptions>,
  batch: SampledBatch,
): ImportanceWeights {
  return importanceWeights({ id: 'is-token-mask', level: 'token', outside: 'mask', options }, batch)
}
