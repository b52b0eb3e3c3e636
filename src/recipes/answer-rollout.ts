import { generateText } from 'ai'
import { judgeAnswer, type Task, type TestingSandbox } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'
import type { Rollout } from '../rollouts/index.ts'

/**
 * One answer to a coding task: worth 1 where all hidden tests pass, else 0. Parts: `passed`, and `tests`, the share of tests that pass, which
 * is recorded but not rewarded: a constant answer passes some.
 */
export function answerRollout(sandbox: TestingSandbox, options: { maxTokens: number }): Rollout<Task> {
  return async ({ model, task, signal }) => {
    const { text } = await generateText({
      model,
      prompt: chatMessage(task),
      maxOutputTokens: options.maxTokens,
      maxRetries: 0,
      abortSignal: signal,
    })
    const { passed, share } = await judgeAnswer(sandbox, task, text)
    return { reward: Number(passed), parts: { passed: Number(passed), tests: share } }
  }
}
