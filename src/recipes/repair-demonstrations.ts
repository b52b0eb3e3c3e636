import type { MessagesExample, Task, TestingSandbox } from '../data/index.ts'
import type { Model } from '../engine/index.ts'
import { chatMessage, generateAttempts } from '../evals/generate-attempts.ts'
import { solutionMessage } from './conversation-of.ts'
import { judgeVisibly, testReport } from './repair-rollout.ts'

/**
 * Conversations that show how a repair goes, made of the model's own first tries at tasks with a reference solution: each one that fails its
 * visible tests, followed by their report and the reference. Only the last answer is to be learnt. All tries may pass; then there is none.
 */
export async function repairDemonstrations(
  model: Model,
  sandbox: TestingSandbox,
  tasks: Task[],
  options: { n: number; maxTokens: number; seed: number },
): Promise<MessagesExample[]> {
  const sampling = { temperature: 1, topP: 1, prompting: 'chat' as const, ...options }
  const attempts = await generateAttempts(model, tasks, sampling)
  const demonstrations = await Promise.all(
    attempts.map(async ({ task, text }) => {
      const verdict = await judgeVisibly(sandbox, task, text)
      const messages: MessagesExample['messages'] = [
        { role: 'user', content: chatMessage(task) },
        { role: 'assistant', content: text },
        { role: 'user', content: testReport(verdict) },
        { role: 'assistant', content: solutionMessage(task) },
      ]
      return verdict.passed ? [] : [{ messages }]
    }),
  )
  return demonstrations.flat()
}
