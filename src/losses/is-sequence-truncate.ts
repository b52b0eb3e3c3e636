/**
 * Truncated importance sampling with one weight a sequence.
 *
 * Formula: w = stop(clip(exp(sum of (lo - ls)), lower, upper)) on every trained token; the denominator stays the unmasked count
 * Paper: Ionides, Truncated importance sampling (2008)
 * Peers: TRL and verl agree.
 */
import {
  boundOptions,
  type ImportanceWeights,
  importanceWeights,
  type SampledBatch,
} from './importance-weights.ts'
import type { OptionsFor } from './options.ts'

export const isSequenceTruncateOptions = boundOptions(null)

export function isSequenceTruncate(
  options: OptionsFor<typeof isSequenceTruncateOptions>,
  batch: SampledBatch,
): ImportanceWeights {
  return importanceWeights(
    { id: 'is-sequence-truncate', level: 'sequence', outside: 'truncate', options },
    batch,
  )
}
