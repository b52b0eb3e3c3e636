import { generateText, type ModelMessage } from 'ai'
import { type Judgement, judgeAnswer, type Task, type TestingSandbox } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'
import type { Rollout } from '../rollouts/index.ts'

/** The verdict of the tests that the model may see on the code in an answer. */
function judgeVisibly(sandbox: TestingSandbox, task: Task, answer: string): Promise<Judgement> {
  return judgeAnswer(sandbox, { ...task, hiddenTests: task.visibleTests }, answer)
}

/** What the model reads of a failed try, with the task again, since a small model looks at what it was told last. */
function testReport(task: Task, { message, reason }: Judgement): string {
  return `The tests say: ${`${reason}: ${message}`.slice(0, 120)}\n\nMend the code. ${chatMessage(task)}`
}

/**
 * Two tries at a coding task: the loop runs the visible tests on the code of the first answer; where one fails, the model reads which and
 * answers again. The last answer is judged by the hidden tests: worth 1 where all pass, else 0. Parts: as `answerRollout`, and
 * `first`, whether the first answer was right.
 */
export function repairRollout(sandbox: TestingSandbox, options: { maxTokens: number }): Rollout<Task> {
  return async ({ model, task, signal }) => {
    const messages: ModelMessage[] = [{ role: 'user', content: chatMessage(task) }]
    const answer = async () => {
      const { text } = await generateText({
        model,
        messages,
        maxOutputTokens: options.maxTokens,
        maxRetries: 0,
        abortSignal: signal,
      })
      return text
    }
    const first = await answer()
    const seen = await judgeVisibly(sandbox, task, first)
    messages.push({ role: 'assistant', content: first }, { role: 'user', content: testReport(task, seen) })
    const last = seen.passed ? first : await answer()
    const [before, after] = await Promise.all([
      judgeAnswer(sandbox, task, first),
      judgeAnswer(sandbox, task, last),
    ])
    const passed = Number(after.passed)
    return { reward: passed, parts: { passed, tests: after.share, first: Number(before.passed) } }
  }
}
