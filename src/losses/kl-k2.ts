/**
 * KL estimator k2: half the squared log-ratio. In a loss its gradient is that of the reverse KL.
 *
 * Formula: k2 = d^2 / 2, dk2/dl = d, with d = l - lr
 * Paper: Schulman, Approximating KL divergence (2020)
 * Peers: agree.
 */
import type { KlEstimator } from './kl-estimator.ts'

export const klK2: KlEstimator = { value: (d) => (d * d) / 2, derivative: (d) => d }
