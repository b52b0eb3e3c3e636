import type { ChatMessage, ToolCall } from '../text/index.ts'

/** An answer as it was given to the caller, by which it is known again in a later prompt. */
export type GivenAnswer = Extract<ChatMessage, { role: 'assistant' }>

/** One call of the model, in words and in tokens. */
export interface RecordedCall {
  /** The prompt's messages, all of them. */
  messages: readonly ChatMessage[]
  /** The prompt as the template rendered it. */
  promptText: string
  prompt: Int32Array
  /** The drawn tokens, an end token included. */
  tokens: Int32Array
  logprobs: Float32Array
  version: number
  /** What the logits were divided by. Above 0. */
  temperature: number
  stopReason: 'stop' | 'length' | 'aborted'
  answer: GivenAnswer
  /** The call whose prompt and drawn tokens this prompt begins with. */
  parent?: RecordedCall
  /** Whether the prompt holds an earlier answer otherwise than it was drawn. */
  broken: boolean
  /** SHA-256 of the prompt's tokens. */
  digest: string
  /** Calls of this recording with the same prompt before it. */
  occurrence: number
}

/** Whether an assistant's message in a prompt is the answer that was given. */
export function isGivenAnswer(message: ChatMessage | undefined, given: GivenAnswer): boolean {
  if (message?.role !== 'assistant') return false
  const [calls, givenCalls] = [message.toolCalls ?? [], given.toolCalls ?? []]
  return (
    message.content.trim() === given.content.trim() &&
    (message.reasoning ?? '').trim() === (given.reasoning ?? '').trim() &&
    calls.length === givenCalls.length &&
    calls.every((call, index) => isGivenCall(call, givenCalls[index] as ToolCall))
  )
}

function isGivenCall(call: ToolCall, given: ToolCall): boolean {
  return call.id === given.id && call.name === given.name && isParsedForm(call.arguments, given.arguments)
}

/**
 * Whether a value is what a tool's schema may make of another: fields added by default or dropped, scalars
 * coerced.
 */
function isParsedForm(value: unknown, given: unknown): boolean {
  if (isObject(value) && isObject(given))
    return Object.keys(value).every((key) => !(key in given) || isParsedForm(value[key], given[key]))
  if (Array.isArray(value) && Array.isArray(given))
    return value.length === given.length && value.every((item, index) => isParsedForm(item, given[index]))
  return String(value) === String(given)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
