import type { TestRequest, VerdictReason } from '../types.ts'

/** A solution that tries to pass hidden tests without solving the task. */
export interface Cheat {
  name: string
  solution: string
  /** What it is judged by, where the language's common task would not tempt it. */
  tests?: TestRequest['tests']
  /** Any of these is a verdict that was not forged. */
  reasons: VerdictReason[]
}
