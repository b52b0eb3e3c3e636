export { openRun } from './open-run.ts'
export type { Run, RunOptions } from './run.ts'
export { runDigest } from './run-digest.ts'
export { RunError, RunInterrupted } from './run-error.ts'
