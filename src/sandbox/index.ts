export { createSandbox, type Sandbox, type SandboxOptions } from './sandbox.ts'
export type {
  Files,
  Language,
  Limits,
  RunRequest,
  RunResult,
  Stopped,
  TestRequest,
  Verdict,
  VerdictReason,
} from './types.ts'
export { defaultLimits } from './types.ts'
