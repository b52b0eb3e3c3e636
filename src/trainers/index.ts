export type { BatchSize } from './batches.ts'
export { type AcceptedAnswer, type CollectOptions, collectAccepted } from './collect-accepted.ts'
export { type DistillOptions, distill } from './distill.ts'
export { type DpoOptions, dpo, measurePreferences } from './dpo.ts'
export { encodeDocument, encodeMaskedDocument, type MaskedLanguage } from './encode-documents.ts'
export { type EncodedMessages, encodeMessages, type MessagesOptions } from './encode-messages.ts'
export { encodeSteps, splitSteps } from './encode-steps.ts'
export { type GroupPreferenceId, type GroupPreferenceOptions, groupPreference } from './group-preference.ts'
export { type Conversation, tokensToScore } from './marked-tokens.ts'
export { measureLoss } from './measure-loss.ts'
export { type OnPolicyDistillationOptions, onPolicyDistillation } from './on-policy-distillation.ts'
export type { OptimizerOptions } from './optimizer.ts'
export { type PolicyGradientOptions, policyGradient } from './policy-gradient.ts'
export {
  cispo,
  dapo,
  drGrpo,
  gdpoDecoupled,
  grpo,
  gspoSequence,
  reinforce,
  reinforcePlusPlus,
  rloo,
} from './policy-gradient-algorithms.ts'
export type { PolicyGradientId } from './policy-method.ts'
export { type PpoOptions, ppo } from './ppo.ts'
export { type PretrainOptions, pretrain } from './pretrain.ts'
export { type ProcessRewardOptions, processReward } from './process-reward.ts'
export type { KlOptions } from './reference-kl.ts'
export { type Judge, type RefreshRewardModelOptions, refreshRewardModel } from './refresh-reward-model.ts'
export type { ReplayOptions } from './replay.ts'
export {
  combineScores,
  type EnsembleOptions,
  type RewardEnsembleOptions,
  rewardEnsemble,
  scoreWithEnsemble,
} from './reward-ensemble.ts'
export { measureRanking, type RewardModelOptions, rewardModel } from './reward-model.ts'
export type { RolloutStageOptions } from './rollout-stage-options.ts'
export { type AnswerRequest, sampleAnswers } from './sample-answers.ts'
export { bestOfN, combineSteps, measureSteps, scoreSteps, stepRewards } from './score-steps.ts'
export { scoreWith } from './scores.ts'
export { type SftOptions, sft } from './sft.ts'
export {
  type Evaluation,
  runStage,
  type Stage,
  type StageReport,
  type StageRun,
  type StageState,
} from './stage.ts'
export type { TokenRewards } from './token-rewards.ts'
export { tokensPerSecond } from './train-step.ts'
export { type TrpoOptions, trpo } from './trpo.ts'
export type { WarningOptions } from './warnings.ts'
