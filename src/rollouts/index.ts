export {
  type CollectedGroups,
  type CollectOptions,
  collectGroups,
  type RolloutFailure,
} from './collect-groups.ts'
export { describeIssue } from './describe-issue.ts'
export { groupMetrics } from './group-metrics.ts'
export type { PolicyModelV3 } from './language-model.ts'
export { collectLimits } from './limits.ts'
export { createPolicy, type Policy, type PolicyOptions } from './policy.ts'
export type { Recording } from './recording.ts'
export { messageOf, RolloutError } from './rollout-error.ts'
export type { RecordedCalls } from './segments.ts'
export { hearStrayRejections } from './stray-rejections.ts'
export { type TrainingSequence, trainingSequences } from './training-sequences.ts'
export type {
  CallRecord,
  Reward,
  Rollout,
  RolloutContext,
  TokenSegment,
  Trajectory,
  TrajectoryGroup,
} from './types.ts'
