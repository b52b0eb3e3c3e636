export { type Comparison, compareResults, tasksNeeded } from './compare-results.ts'
export { type EvaluateOptions, evaluateAttempts } from './evaluate-attempts.ts'
export { formatComparison, formatResult } from './format-result.ts'
export {
  defaultPrompting,
  type GeneratedAttempt,
  type GenerateOptions,
  generateAttempts,
  type Prompting,
  type SamplingModel,
} from './generate-attempts.ts'
export {
  type Attempt,
  type JudgeAttemptsOptions,
  type Judged,
  judgeAttempts,
} from './judge-samples.ts'
export { passAtK } from './pass-at-k.ts'
export { estimatePassAtK, type PassAtKEstimate, type TaskTally } from './pass-at-k-estimates.ts'
export { type CodeQuality, measureQuality } from './quality/measure-quality.ts'
export { type QualitySummary, summariseQuality } from './quality/summarise-quality.ts'
export { type EvalResult, parseEvalResult } from './result.ts'
export { type AnswerSample, readSamples } from './samples.ts'
