import type { MessagesExample, Task, TestingSandbox } from '../data/index.ts'
import type { Model } from '../engine/index.ts'
import { chatMessage, generateAttempts } from '../evals/generate-attempts.ts'
import type { ChatMessage } from '../text/index.ts'
import { solutionMessage } from './conversation-of.ts'
import { judgeVisibly, testReport } from './repair-rollout.ts'
import { handIn, tools } from './tool-conversation.ts'

/**
 * Conversations that show how a repair goes, made of the model's own first tries at tasks with a reference solution: one that passes its
 * visible tests ends there; one that fails is followed by the tests' report and the reference. There are as many of the one kind as of
 * the other, where there are enough. Only the last answer of each is to be learnt.
 */
export async function repairDemonstrations(
  model: Model,
  sandbox: TestingSandbox,
  tasks: Task[],
  options: { n: number; maxTokens: number; seed: number },
): Promise<MessagesExample[]> {
  const attempts = await generateAttempts(model, tasks, {
    temperature: 1,
    topP: 1,
    prompting: 'chat',
    ...options,
  })
  const judged = await Promise.all(
    attempts.map(async ({ task, text }) => ({
      task,
      text,
      verdict: await judgeVisibly(sandbox, task, text),
    })),
  )
  const failed = judged.filter(({ verdict }) => !verdict.passed)
  const passed = judged.filter(({ verdict }) => verdict.passed).slice(0, Math.max(failed.length, 1))
  return [...failed, ...passed].map(({ task, text, verdict }) => {
    const messages: ChatMessage[] = [{ role: 'user', content: chatMessage(task) }, handIn(text, 0)]
    if (!verdict.passed)
      messages.push(
        { role: 'tool', toolCallId: 'call_0', name: 'run_tests', content: testReport(verdict) },
        handIn(solutionMessage(task), 1),
      )
    return { messages, tools }
  })
}
