export { type BackendReport, sandboxReport } from './capabilities.ts'
export { type CommandRequest, createDirectorySandbox, type DirectorySandbox } from './directory.ts'
export { largestLimits } from './limits.ts'
export { rememberVerdicts } from './remember-verdicts.ts'
export { createSandbox, type Sandbox, type SandboxOptions } from './sandbox.ts'
export { createSession, type Session } from './session.ts'
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
export { createWorkspace, type Snapshot, type Workspace } from './workspace.ts'
