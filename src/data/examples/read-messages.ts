import { z } from 'zod'
import type { ChatMessage, ToolDefinition } from '../../text/index.ts'
import { answerSchema, conversationSchema, promptSchema, toolsSchema } from './chat-schema.ts'
import { readRows } from './read-rows.ts'

/** A conversation to learn from. */
export interface MessagesExample {
  messages: ChatMessage[]
  /** Tools that the model was offered. */
  tools?: ToolDefinition[]
}

const tools = toolsSchema.nullish()

const messagesRow = z
  .object({ messages: conversationSchema, tools })
  .transform(({ messages, tools }) => exampleOf(messages, tools))

const completionRow = z
  .object({ prompt: promptSchema, completion: answerSchema, tools })
  .transform(({ prompt, completion, tools }) => exampleOf([...prompt, ...completion], tools))

/**
 * Conversations of a JSONL file (gzipped or not), a row each: `{"messages": [...], "tools"?: [...]}` in this project's form or
 * OpenAI's, or `{"prompt", "completion"}`, each text or messages. Other columns are left alone. Throws a DataError that names path,
 * line and field for a wrong row, and for a file without rows.
 */
export function readMessages(path: string): Promise<MessagesExample[]> {
  return readRows(path, 'a conversation: {"messages": [...]} or {"prompt", "completion"}', (fields) =>
    'completion' in fields ? completionRow : messagesRow,
  )
}

function exampleOf(messages: ChatMessage[], tools: ToolDefinition[] | null | undefined): MessagesExample {
  return { messages, ...(tools && { tools }) }
}
