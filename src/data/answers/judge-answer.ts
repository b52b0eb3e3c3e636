import type { Limits, TestRequest, Verdict, VerdictReason } from '../../sandbox/types.ts'
import { DataError } from '../data-error.ts'
import type { Task } from '../tasks/task.ts'
import { programOfMessage } from './program.ts'

/** Why an answer passed or not: the sandbox's reasons, and `no-answer` for a message without code. */
export type JudgedReason = Exclude<VerdictReason, 'refused'> | 'no-answer'

export interface Judgement extends Omit<Verdict, 'reason'> {
  reason: JudgedReason
  /** Hidden tests passed of all, from 0 to 1; 1 exactly when the answer passed. */
  share: number
  /** What was judged; null when the message had no code. */
  program: string | null
}

export interface JudgeOptions {
  limits?: Partial<Limits>
}

/** The part of a sandbox that judging needs. */
export interface TestingSandbox {
  runTests(request: TestRequest): Promise<Verdict>
}

/**
 * Runs a task's hidden tests on the code in a model's message. Throws a DataError where the sandbox cannot judge at
 * all (no isolation for the language, say): that is no one's failure, and no reward.
 */
export async function judgeAnswer(
  sandbox: TestingSandbox,
  task: Task,
  message: string,
  options: JudgeOptions = {},
): Promise<Judgement> {
  return judgeProgram(sandbox, task, programOfMessage(task, message), options)
}

/** The same for a program; null stands for a message without one. */
export async function judgeProgram(
  sandbox: TestingSandbox,
  task: Task,
  program: string | null,
  { limits }: JudgeOptions = {},
): Promise<Judgement> {
  if (program === null) return withoutAnswer(task)
  const verdict = await sandbox.runTests({
    language: task.language,
    solution: program,
    tests: task.hiddenTests,
    entryPoint: task.entryPoint,
    ...(task.helpers !== undefined && { helpers: task.helpers }),
    ...(limits !== undefined && { limits }),
  })
  const { reason } = verdict
  if (reason === 'refused') throw new DataError(`${task.id} cannot be judged: ${verdict.message}`)
  return { ...verdict, reason, share: verdict.testsPassed / verdict.testsTotal, program }
}

function withoutAnswer(task: Task): Judgement {
  return {
    passed: false,
    reason: 'no-answer',
    message: 'the message has no code that defines the entry point',
    testsPassed: 0,
    testsTotal: task.hiddenTests.length,
    share: 0,
    program: null,
    stdout: '',
    stderr: '',
    milliseconds: 0,
  }
}
