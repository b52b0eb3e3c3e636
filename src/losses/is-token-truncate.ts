/**
 * Truncated importance sampling: corrects for a sampler that differs from the trainer, token by token.
 *
 * Formula: w = stop(clip(exp(lo - ls), lower, upper)) times the policy term of the token; the denominator stays the unmasked count
 * Paper: Ionides, Truncated importance sampling (2008)
 * Peers: TRL, verl, slime, SkyRL and OpenRLHF agree.
 */
import {
  boundOptions,
  type ImportanceWeights,
  importanceWeights,
  type SampledBatch,
} from './importance-weights.ts'
import type { OptionsFor } from './options.ts'

export const isTokenTruncateOptions = boundOptions(null)

export function isTokenTruncate(
  options: OptionsFor<typeof isTokenTruncateOptions>,
  batch: SampledBatch,
): ImportanceWeights {
  return importanceWeights({ id: 'is-token-truncate', level: 'token', outside: 'truncate', options }, batch)
}
