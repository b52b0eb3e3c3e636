import {
  type JudgedReason,
  type JudgeOptions,
  judgeProgram,
  type TestingSandbox,
} from '../data/answers/judge-answer.ts'
import type { Task } from '../data/tasks/task.ts'
import { mapInFlight } from './map-in-flight.ts'

export interface Judged {
  task_id: string
  passed: boolean
  reason: JudgedReason
}

/** A program to judge; null when the model gave none. */
export interface Attempt {
  task: Task
  program: string | null
}

export interface JudgeAttemptsOptions extends JudgeOptions {
  onJudged?: (judged: Judged) => void
}

/** Requests waiting in the sandbox's pool at once: enough to keep any machine's cores busy. */
const inFlight = 64

/**
 * Runs the hidden tests of every attempt. Verdicts come back in the attempts' order, whichever finished first.
 * Throws a DataError where the sandbox cannot judge at all (no isolation for the language, say): that is no one's failure.
 */
export async function judgeAttempts(
  sandbox: TestingSandbox,
  attempts: Attempt[],
  options: JudgeAttemptsOptions = {},
): Promise<Judged[]> {
  return mapInFlight(attempts, inFlight, async ({ task, program }) => {
    const { passed, reason } = await judgeProgram(sandbox, task, program, options)
    const judged = { task_id: task.id, passed, reason }
    options.onJudged?.(judged)
    return judged
  })
}
