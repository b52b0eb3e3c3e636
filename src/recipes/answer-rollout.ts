import { generateText } from 'ai'
import { judgeAnswer, type Task, type TestingSandbox } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'
import type { Rollout } from '../rollouts/index.ts'

export interface AnswerRolloutOptions {
  maxTokens: number
  /** What the share of tests that pass is worth in a wrong answer, below 1. Default 0: a constant answer passes some. */
  partialCredit?: number
}

/** One answer to a coding task: worth 1 where all hidden tests pass. Parts: `passed`, and `tests`, the share of tests that pass. */
export function answerRollout(sandbox: TestingSandbox, options: AnswerRolloutOptions): Rollout<Task> {
  return async ({ model, task, signal }) => {
    const { text } = await generateText({
      model,
      prompt: chatMessage(task),
      maxOutputTokens: options.maxTokens,
      maxRetries: 0,
      abortSignal: signal,
    })
    const { passed, share } = await judgeAnswer(sandbox, task, text)
    const reward = passed ? 1 : (options.partialCredit ?? 0) * share
    return { reward, parts: { passed: Number(passed), tests: share } }
  }
}
