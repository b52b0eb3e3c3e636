import type { MessagesExample, Task } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'
import type { ChatMessage, ToolDefinition } from '../text/index.ts'
import { solutionMessage } from './conversation-of.ts'

/** The tool of `repairRollout`, as a chat template is given it. */
export const tools: ToolDefinition[] = [
  {
    name: 'run_tests',
    description: 'Runs the visible tests on the code of this answer.',
    parameters: { type: 'object', properties: {} },
  },
]

/** An answer that asks for the tests. `call` numbers the calls of a conversation. */
export function handIn(content: string, call: number): ChatMessage {
  return {
    role: 'assistant',
    content,
    toolCalls: [{ id: `call_${call}`, name: 'run_tests', arguments: {} }],
  }
}

/** The task where the tool is offered: its reference solution, handed in. */
export function toolConversationOf(task: Task): MessagesExample {
  return {
    messages: [{ role: 'user', content: chatMessage(task) }, handIn(solutionMessage(task), 0)],
    tools,
  }
}
