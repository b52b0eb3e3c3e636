/** A per-token estimate of KL(policy || reference) as a function of d = l - lr, with its derivative in l. */
export interface KlEstimator {
  value(d: number): number
  derivative(d: number): number
}
