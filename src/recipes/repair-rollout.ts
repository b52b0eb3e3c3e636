import { generateText, type ModelMessage } from 'ai'
import { type Judgement, judgeAnswer, type Task, type TestingSandbox } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'
import type { Rollout } from '../rollouts/index.ts'
import { runTestsTool } from './run-tests-tool.ts'

/** The verdict of the tests that the model may see on the code in an answer. */
function judgeVisibly(sandbox: TestingSandbox, task: Task, answer: string): Promise<Judgement> {
  return judgeAnswer(sandbox, { ...task, hiddenTests: task.visibleTests }, answer)
}

/** What the tool tells of a failed try, with the task again, since a small model looks at what it was told last. */
function testReport(task: Task, { message, reason }: Judgement): string {
  return `The tests say: ${`${reason}: ${message}`.slice(0, 120)}\n\nMend the code. ${chatMessage(task)}`
}

/**
 * Two tries at a coding task, with a tool that runs the visible tests: where the model calls it on its first answer and one fails, it reads which
 * and answers again. The last answer is judged by the hidden tests: worth 1 where all pass, else 0. Parts: as `answerRollout`, and
 * `first`, whether the first answer was right.
 */
export function repairRollout(sandbox: TestingSandbox, options: { maxTokens: number }): Rollout<Task> {
  return async ({ model, task, signal }) => {
    const messages: ModelMessage[] = [{ role: 'user', content: chatMessage(task) }]
    const answer = () =>
      generateText({
        model,
        messages,
        tools: runTestsTool,
        maxOutputTokens: options.maxTokens,
        maxRetries: 0,
        abortSignal: signal,
      })
    const { text: first, toolCalls, responseMessages } = await answer()
    const calls = toolCalls.filter(({ invalid }) => !invalid)
    const seen = calls.length > 0 ? await judgeVisibly(sandbox, task, first) : undefined
    let last = first
    if (seen && !seen.passed) {
      const output = { type: 'text', value: testReport(task, seen) } as const
      const results = calls.map(({ toolCallId, toolName }) => ({ toolCallId, toolName, output }))
      messages.push(...responseMessages, {
        role: 'tool',
        content: results.map((result) => ({ type: 'tool-result', ...result })),
      })
      last = (await answer()).text
    }
    const [before, after] = await Promise.all([
      judgeAnswer(sandbox, task, first),
      judgeAnswer(sandbox, task, last),
    ])
    const passed = Number(after.passed)
    return { reward: passed, parts: { passed, tests: after.share, first: Number(before.passed) } }
  }
}
