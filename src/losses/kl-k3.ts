/**
 * KL estimator k3: unbiased and never negative. In a loss its gradient is that of the forward KL.
 *
 * Formula: k3 = exp(-d) - 1 + d, dk3/dl = 1 - exp(-d), with d = l - lr; `k3+` is the value of k3 with the gradient of k2
 * Paper: Schulman, Approximating KL divergence (2020)
 * Peers: verl, SkyRL and OpenRLHF clamp it to 10, which sets the gradient to 0 where the policy has drifted furthest; TRL,
 *   open-instruct and slime do not, nor do we.
 */
import type { KlEstimator } from './kl-estimator.ts'
import { klK2 } from './kl-k2.ts'

export const klK3: KlEstimator = { value: (d) => Math.expm1(-d) + d, derivative: (d) => -Math.expm1(-d) }

/** Straight-through: what is plotted is k3, what is optimised is the reverse KL. */
export const klK3StraightThrough: KlEstimator = { value: klK3.value, derivative: klK2.derivative }
