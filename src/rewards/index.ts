export { adaptKlCoefficient } from './adaptive-kl.ts'
export { clipReward } from './clip-reward.ts'
export {
  type ComposedReward,
  composeRewards,
  type RewardComposition,
  type RewardPart,
  type ScoredAnswer,
} from './compose-rewards.ts'
export { constraint, forbiddenPatterns, maximumLength } from './constraint.ts'
export { klInReward } from './kl-in-reward.ts'
export { linearLengthPenalty, softOverlongPenalty } from './length-penalty.ts'
export {
  lengthPenalty,
  rolloutReward,
  rule,
  scoredBy,
  type TestsVerdict,
  testsPassed,
} from './reward-parts.ts'
export { whitenRewards } from './whiten-rewards.ts'
