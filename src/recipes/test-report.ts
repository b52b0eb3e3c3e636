import { judgeAnswer, type Task, type TestingSandbox } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'

/**
 * What the tool that runs the visible tests tells of the code in an answer; undefined where all pass. The task stands in it again, since a small
 * model looks at what it was told last.
 */
export async function testReport(
  sandbox: TestingSandbox,
  task: Task,
  answer: string,
): Promise<string | undefined> {
  const { passed, reason, message } = await judgeAnswer(
    sandbox,
    { ...task, hiddenTests: task.visibleTests },
    answer,
  )
  if (passed) return undefined
  return `The tests say: ${`${reason}: ${message}`.slice(0, 120)}\n\nMend the code. ${chatMessage(task)}`
}
