import { generateText, type ModelMessage } from 'ai'
import { judgeAnswer, type Task, type TestingSandbox } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'
import type { Rollout } from '../rollouts/index.ts'
import { runTestsTool } from './run-tests-tool.ts'
import { testReport } from './test-report.ts'

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
    const report = calls.length > 0 ? await testReport(sandbox, task, first) : undefined
    let last = first
    if (report !== undefined) {
      const output = { type: 'text', value: report } as const
      const results = calls.map(({ toolCallId, toolName }) => ({ toolCallId, toolName, output }))
      messages.push(...responseMessages, {
        role: 'tool',
        content: results.map((result) => ({ type: 'tool-result', ...result })),
      })
      last = (await answer()).text
    }
    const judged = judgeAnswer(sandbox, task, first)
    const [before, after] = await Promise.all([
      judged,
      last === first ? judged : judgeAnswer(sandbox, task, last),
    ])
    const passed = Number(after.passed)
    return { reward: passed, parts: { passed, tests: after.share, first: Number(before.passed) } }
  }
}
