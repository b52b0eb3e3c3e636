/**
 * Masked importance sampling: sequences on which sampler and trainer disagree too much do not train.
 *
 * Formula: w = stop(exp(sum of (lo - ls))) within [lower, upper], else 0; the denominator stays the unmasked count
 * Paper: arXiv 2510.18855 (IcePop), at the level of sequences
 * Peers: OpenRLHF's seq-mask-tis filters by the geometric mean and leaves token weights untruncated; ours weighs by the ratio itself.
 */
import {
  boundOptions,
  type ImportanceWeights,
  importanceWeights,
  type SampledBatch,
} from './importance-weights.ts'
import type { OptionsFor } from './options.ts'

export const isSequenceMaskOptions = boundOptions(0.5)

export function isSequenceMask(
  options: OptionsFor<typeof isSequenceMaskOptions>,
  batch: SampledBatch,
): ImportanceWeights {
  return importanceWeights({ id: 'is-sequence-mask', level: 'sequence', outside: 'mask', options }, batch)
}
