import { DataError } from '../data/data-error.ts'
import type { Task } from '../data/tasks/task.ts'
import type { Limits, TestRequest, Verdict, VerdictReason } from '../sandbox/types.ts'
import { mapInFlight } from './map-in-flight.ts'

/** Why a sample passed or not: the sandbox's reasons, and `no-answer` for a message without code. */
export type JudgedReason = Exclude<VerdictReason, 'refused'> | 'no-answer'

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

export interface JudgeOptions {
  limits?: Partial<Limits>
  onJudged?: (judged: Judged) => void
}

/** Requests waiting in the sandbox's pool at once: enough to keep any machine's cores busy. */
const inFlight = 64

/**
 * Runs the hidden tests of every attempt. Verdicts come back in the attempts' order, whichever finished first.
 * Throws a DataError where the sandbox cannot judge at all (no isolation for the language, say): that is no one's failure.
 */
export async function judgeAttempts(
  sandbox: { runTests(request: TestRequest): Promise<Verdict> },
  attempts: Attempt[],
  options: JudgeOptions = {},
): Promise<Judged[]> {
  return mapInFlight(attempts, inFlight, async (attempt) => {
    const judged = await judge(sandbox, attempt, options.limits)
    options.onJudged?.(judged)
    return judged
  })
}

async function judge(
  sandbox: { runTests(request: TestRequest): Promise<Verdict> },
  { task, program }: Attempt,
  limits: Partial<Limits> | undefined,
): Promise<Judged> {
  if (program === null) return { task_id: task.id, passed: false, reason: 'no-answer' }
  const verdict = await sandbox.runTests(testRequest(task, program, limits))
  if (verdict.reason === 'refused') throw new DataError(`${task.id} cannot be judged: ${verdict.message}`)
  return { task_id: task.id, passed: verdict.passed, reason: verdict.reason }
}

function testRequest(task: Task, program: string, limits: Partial<Limits> | undefined): TestRequest {
  return {
    language: task.language,
    solution: program,
    tests: task.hiddenTests.join('\n'),
    entryPoint: task.entryPoint,
    ...(task.helpers !== undefined && { helpers: task.helpers }),
    ...(limits !== undefined && { limits }),
  }
}
