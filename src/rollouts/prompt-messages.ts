import {
  type LanguageModelV3Prompt,
  type LanguageModelV4Prompt,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider'
import type { ChatMessage, ToolCall } from '../text/index.ts'

export type Prompt = LanguageModelV3Prompt | LanguageModelV4Prompt

type Message<Role> = Extract<Prompt[number], { role: Role }>
type ToolResult = Extract<Message<'tool'>['content'][number], { type: 'tool-result' }>

/**
 * The messages of an AI SDK prompt as chat templates take them. Errors: an UnsupportedFunctionalityError for
 * what is not text.
 */
export function promptMessages(prompt: Prompt): ChatMessage[] {
  return prompt.flatMap((message): ChatMessage[] => {
    if (message.role === 'system') return [{ role: 'system', content: message.content }]
    if (message.role === 'user') return [{ role: 'user', content: message.content.map(textOf).join('') }]
    return message.role === 'assistant' ? [assistantMessage(message)] : toolMessages(message)
  })
}

/**
 * A tool call's input as a template takes it. What is not an object, because the model wrote no valid one,
 * stays readable.
 */
export function argumentsOf(input: unknown): Record<string, unknown> {
  let value = input
  if (typeof input === 'string') {
    try {
      value = JSON.parse(input)
    } catch {
      return { invalid: input }
    }
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  return { invalid: value }
}

function textOf(part: Message<'user'>['content'][number]): string {
  if (part.type === 'text') return part.text
  if (typeof part.data === 'object' && 'type' in part.data && part.data.type === 'text') return part.data.text
  throw new UnsupportedFunctionalityError({
    functionality: `a file of type ${part.mediaType} in a user message; the model reads text`,
  })
}

function assistantMessage(message: Message<'assistant'>): ChatMessage {
  let content = ''
  let reasoning = ''
  const toolCalls: ToolCall[] = []
  for (const part of message.content) {
    if (part.type === 'text') content += part.text
    else if (part.type === 'reasoning') reasoning += part.text
    else if (part.type === 'tool-call')
      toolCalls.push({ id: part.toolCallId, name: part.toolName, arguments: argumentsOf(part.input) })
    else
      throw new UnsupportedFunctionalityError({
        functionality: `a part of type ${part.type} in an assistant message`,
      })
  }
  return {
    role: 'assistant',
    content,
    ...(reasoning !== '' && { reasoning }),
    ...(toolCalls.length > 0 && { toolCalls }),
  }
}

function toolMessages(message: Message<'tool'>): ChatMessage[] {
  return message.content.map((part) => {
    if (part.type !== 'tool-result')
      throw new UnsupportedFunctionalityError({
        functionality: `a part of type ${part.type}; tools are not executed by the model's provider`,
      })
    return {
      role: 'tool',
      content: resultText(part.output),
      toolCallId: part.toolCallId,
      name: part.toolName,
    }
  })
}

function resultText(output: ToolResult['output']): string {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return output.value
    case 'json':
    case 'error-json':
      return JSON.stringify(output.value)
    case 'execution-denied':
      return output.reason ?? 'Tool execution denied.'
    case 'content':
      return output.value
        .map((part) => {
          if (part.type === 'text') return part.text
          throw new UnsupportedFunctionalityError({
            functionality: `a part of type ${part.type} in a tool's result; the model reads text`,
          })
        })
        .join('\n')
  }
}
