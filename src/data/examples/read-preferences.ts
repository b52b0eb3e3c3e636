import { z } from 'zod'
import type { ChatMessage, ToolDefinition } from '../../text/index.ts'
import { answerSchema, conversationSchema, promptSchema, toolsSchema } from './chat-schema.ts'
import { readRows } from './read-rows.ts'

/** Two answers to one prompt, the better one first. */
export interface PreferencePair {
  /** What both answers answer. */
  prompt: ChatMessage[]
  /** Begins with an assistant's turn; may go on with tools' results and further turns. */
  chosen: ChatMessage[]
  rejected: ChatMessage[]
  /** Tools that the model was offered. */
  tools?: ToolDefinition[]
  /** How much better the first is known to be, in the reward model's units. Default 0. */
  margin?: number
}

const besides = { margin: z.number().nullish(), tools: toolsSchema.nullish() }

const explicitRow = z
  .object({ prompt: promptSchema, chosen: answerSchema, rejected: answerSchema, ...besides })
  .transform(({ prompt, chosen, rejected, ...more }, context) => {
    const start = JSON.stringify(prompt)
    const answerOf = (messages: ChatMessage[]) =>
      JSON.stringify(messages.slice(0, prompt.length)) === start ? messages.slice(prompt.length) : messages
    return pairOf(prompt, answerOf(chosen), answerOf(rejected), more, context)
  })

const implicitRow = z
  .object({ chosen: conversationSchema, rejected: conversationSchema, ...besides })
  .transform(({ chosen, rejected, ...more }, context) => {
    const shared = chosen.findIndex((message, i) => JSON.stringify(message) !== JSON.stringify(rejected[i]))
    const prompt = shared < 0 ? chosen : chosen.slice(0, shared)
    const from = prompt.length
    return pairOf(prompt, chosen.slice(from), rejected.slice(from), more, context)
  })

/**
 * Preference pairs of a JSONL file (gzipped or not), a row each: `{"prompt", "chosen", "rejected", "margin"?, "tools"?}`, texts or messages, or
 * `{"chosen", "rejected"}` of whole conversations that begin alike. Answers may repeat the prompt's messages. Other columns are left
 * alone. Throws a DataError that names path, line and field for a wrong row, equal answers, and a file without rows.
 */
export function readPreferencePairs(path: string): Promise<PreferencePair[]> {
  return readRows(path, 'a preference pair: {"prompt", "chosen", "rejected"}', (fields) =>
    'prompt' in fields ? explicitRow : implicitRow,
  )
}

function pairOf(
  prompt: ChatMessage[],
  chosen: ChatMessage[],
  rejected: ChatMessage[],
  { margin, tools }: { margin?: number | null | undefined; tools?: ToolDefinition[] | null | undefined },
  context: z.core.$RefinementCtx,
): PreferencePair {
  const refuse = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message })
  if (prompt.length === 0) refuse('chosen', 'begins differently from rejected, so there is no prompt')
  for (const [field, answer] of Object.entries({ chosen, rejected }))
    if (answer[0]?.role !== 'assistant')
      refuse(field, "must go on from the prompt with an assistant's message")
  if (JSON.stringify(chosen) === JSON.stringify(rejected))
    refuse('rejected', 'equals chosen, so nothing is preferred')
  return { prompt, chosen, rejected, ...(typeof margin === 'number' && { margin }), ...(tools && { tools }) }
}
