/**
 * KL estimator k1: the log-ratio itself. Unbiased, of high variance, negative on single tokens.
 *
 * Formula: k1 = d, dk1/dl = 1, with d = l - lr
 * Paper: Schulman, Approximating KL divergence (2020)
 * Peers: OpenRLHF clamps it to 10; we do not. As a term of a loss its expected gradient is 0, so losses refuse it; it
 *   belongs in the reward.
 */
import type { KlEstimator } from './kl-estimator.ts'

export const klK1: KlEstimator = { value: (d) => d, derivative: () => 1 }
