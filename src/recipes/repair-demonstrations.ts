import type { MessagesExample, Task, TestingSandbox } from '../data/index.ts'
import { programOfMessage } from '../data/index.ts'
import type { Model } from '../engine/index.ts'
import { chatMessage, generateAttempts } from '../evals/generate-attempts.ts'
import type { ChatMessage, ToolDefinition } from '../text/index.ts'
import { referenceOf } from './conversation-of.ts'
import { judgeVisibly, testReport } from './repair-rollout.ts'

const tools: ToolDefinition[] = [
  {
    name: 'run_tests',
    description: 'Runs the visible tests on the code.',
    parameters: { type: 'object', properties: { code: { type: 'string' } }, required: ['code'] },
  },
]

/**
 * Conversations that show how a repair goes, made of the model's own first tries at tasks with a reference solution: a
 * try that passes its visible tests is handed in; one that fails is followed by the tests' report and the reference. Only
 * the last answer of each is to be learnt.
 */
export async function repairDemonstrations(
  model: Model,
  sandbox: TestingSandbox,
  tasks: Task[],
  options: { maxTokens: number; seed: number },
): Promise<MessagesExample[]> {
  const sampling = { n: 1, temperature: 1, topP: 1, prompting: 'chat' as const, ...options }
  const attempts = await generateAttempts(model, tasks, sampling)
  return Promise.all(
    attempts.map(async ({ task, text }) => {
      const code = programOfMessage(task, text) ?? text
      const verdict = await judgeVisibly(sandbox, task, code)
      const messages: ChatMessage[] = [{ role: 'user', content: chatMessage(task) }, handIn(code, 0)]
      if (!verdict.passed) {
        messages.push({ role: 'tool', toolCallId: 'call_0', name: 'run_tests', content: testReport(verdict) })
        messages.push(handIn(referenceOf(task), 1))
      }
      return { messages, tools }
    }),
  )
}

function handIn(code: string, call: number): ChatMessage {
  return {
    role: 'assistant',
    content: '',
    toolCalls: [{ id: `call_${call}`, name: 'run_tests', arguments: { code } }],
  }
}
