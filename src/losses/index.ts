export { batchLoss } from './batch.ts'
export { conjugateGradient } from './conjugate-gradient.ts'
export { updateDomainWeights, weightedDomainLoss } from './domain-weights.ts'
export { hideTokens } from './hide-tokens.ts'
export type { ImportanceWeights, SampledBatch } from './importance-weights.ts'
export type { KlEstimator } from './kl-estimator.ts'
export { klLoss } from './kl-loss.ts'
export { combineMetrics } from './metrics.ts'
export { preferencePairs } from './preference-pairs.ts'
export { classifySteps } from './process-reward.ts'
export { type AlgorithmId, algorithm, registry } from './registry.ts'
export { tokenTotals } from './totals.ts'
export { asyncTrustRegionStep, trustRegionStep } from './trust-region-step.ts'
export type {
  GroupTotals,
  Mask,
  MaskedExample,
  PairTotals,
  PolicyExample,
  PreferenceExample,
  PureLoss,
  ScoredGroup,
  TokenTotals,
  ValueExample,
} from './types.ts'
export { valueLoss } from './value-loss.ts'
