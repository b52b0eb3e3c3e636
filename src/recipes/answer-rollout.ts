import { generateText } from 'ai'
import { judgeAnswer, type Task, type TestingSandbox } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'
import type { Rollout } from '../rollouts/index.ts'

/** Of a wrong answer, what passing all hidden tests but one comes to; a right one is worth 1. */
const partialCredit = 0.2

/**
 * One answer to a coding task, judged by its hidden tests: 1 where all pass, else a fifth of the share that does. Parts:
 * `passed` (0 or 1) and `tests` (the share).
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
    return rewardOf(passed, share)
  }
}

/** The reward of a program by its hidden tests. */
export function rewardOf(passed: boolean, share: number) {
  return { reward: passed ? 1 : partialCredit * share, parts: { passed: Number(passed), tests: share } }
}
