import { type ToolSet, tool } from 'ai'
import { z } from 'zod'
import type { MessagesExample } from '../data/index.ts'

const description = 'Runs the tests on the code of this answer.'

/** For `generateText`. Nothing runs it by itself: it judges the code of the answer that calls it, which the AI SDK tells no tool. */
export const runTestsTool = { run_tests: tool({ description, inputSchema: z.object({}) }) } satisfies ToolSet

/** A call as Hermes templates write it. */
export const runTestsCall = '<tool_call>\n{"name": "run_tests", "arguments": {}}\n</tool_call>'

/** The conversation with the tool at hand, called at the end of every answer. */
export function callingTests({ messages }: MessagesExample): MessagesExample {
  return {
    tools: [{ name: 'run_tests', description, parameters: { type: 'object' } }],
    messages: messages.map((message) =>
      message.role === 'assistant'
        ? { ...message, toolCalls: [{ id: 'call_0', name: 'run_tests', arguments: {} }] }
        : message,
    ),
  }
}
