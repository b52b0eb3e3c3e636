import { z } from 'zod'
import type { ChatMessage, ToolCall, ToolDefinition } from '../../text/index.ts'

/** Tables write an absent field as null. */
const withoutNulls = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null))
    : value

const contentSchema = z.union(
  [z.string(), z.array(z.object({ type: z.literal('text'), text: z.string() })).transform(joinParts)],
  'must be text, or parts of {"type": "text", "text": ...}',
)

const toolCallSchema = z.union(
  [
    z.strictObject({ id: z.string(), name: z.string(), arguments: z.record(z.string(), z.unknown()) }),
    z
      .object({
        id: z.string().optional(),
        function: z.object({
          name: z.string(),
          arguments: z.union([z.record(z.string(), z.unknown()), z.string().transform(parseArguments)]),
        }),
      })
      .transform(({ id, function: { name, arguments: given } }) => ({
        id: id ?? '',
        name,
        arguments: given,
      })),
  ],
  'must be {"id", "name", "arguments": {...}} or {"id", "type": "function", "function": {"name", "arguments"}}',
)

const roles = ['system', 'user', 'assistant', 'tool'] as const
const plain = <R extends 'system' | 'user'>(role: R) =>
  z.strictObject({ role: z.literal(role), content: contentSchema })

const messageSchema: z.ZodType<ChatMessage> = z.preprocess(
  withoutNulls,
  z.discriminatedUnion(
    'role',
    [
      plain('system'),
      plain('user'),
      z
        .strictObject({
          role: z.literal('assistant'),
          content: contentSchema.optional(),
          reasoning: z.string().optional(),
          reasoning_content: z.string().optional(),
          toolCalls: z.array(toolCallSchema).optional(),
          tool_calls: z.array(toolCallSchema).optional(),
        })
        .transform(assistantMessage),
      z
        .strictObject({
          role: z.literal('tool'),
          content: contentSchema,
          toolCallId: z.string().optional(),
          tool_call_id: z.string().optional(),
          name: z.string().optional(),
        })
        .transform(({ content, toolCallId, tool_call_id, name }) => ({
          role: 'tool' as const,
          content,
          toolCallId: toolCallId ?? tool_call_id ?? '',
          ...(name !== undefined && { name }),
        })),
    ],
    `must be a message whose role is ${roles.join(', ')}`,
  ),
)

/** A conversation in this project's form or OpenAI's, where arguments of tool calls may be JSON in a string. */
export const conversationSchema = z.array(messageSchema).min(1)

const toolSchema: z.ZodType<ToolDefinition> = z.preprocess(
  (value) => {
    const given = withoutNulls(value) as Record<string, unknown>
    return given?.type === 'function' ? withoutNulls(given.function) : given
  },
  z.object({
    name: z.string(),
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).default({ type: 'object' }),
  }),
) as z.ZodType<ToolDefinition>

export const toolsSchema = z.array(toolSchema)

/** Text is what a user says. */
export const promptSchema = z.union(
  [conversationSchema, z.string().transform((content): ChatMessage[] => [{ role: 'user', content }])],
  'must be text or messages',
)

/** Text is what the assistant says. */
export const answerSchema = z.union(
  [conversationSchema, z.string().transform((content): ChatMessage[] => [{ role: 'assistant', content }])],
  'must be text or messages',
)

function joinParts(parts: { text: string }[]): string {
  return parts.map(({ text }) => text).join('')
}

function parseArguments(text: string, context: z.core.$RefinementCtx): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {}
  context.addIssue({ code: 'custom', message: 'arguments in a string must be a JSON object' })
  return z.NEVER
}

function assistantMessage(given: {
  content?: string | undefined
  reasoning?: string | undefined
  reasoning_content?: string | undefined
  toolCalls?: ToolCall[] | undefined
  tool_calls?: ToolCall[] | undefined
}): ChatMessage {
  const reasoning = given.reasoning ?? given.reasoning_content
  const toolCalls = given.toolCalls ?? given.tool_calls
  return {
    role: 'assistant',
    content: given.content ?? '',
    ...(reasoning !== undefined && { reasoning }),
    ...(toolCalls !== undefined && { toolCalls }),
  }
}
