import {
  type ChatMessage,
  encodeChat,
  renderChat,
  type Tokenizer,
  type ToolDefinition,
} from '../text/index.ts'

/** A row of tokens and which of them are the answer's. Shapes: [T]. */
export interface MarkedTokens {
  tokens: Int32Array
  mask: Uint8Array
}

export interface Conversation {
  messages: readonly ChatMessage[]
  tools?: readonly ToolDefinition[]
}

/** The tokens from which an answer to a conversation is sampled. */
export function promptTokens(tokenizer: Tokenizer, { messages, tools }: Conversation): Int32Array {
  const options = { addGenerationPrompt: true, ...(tools && { tools }) }
  return tokenizer.encode(renderChat(tokenizer, messages, options))
}

/**
 * A conversation gone on with by an answer; only what the assistant wrote in the answer is marked. An answer of several turns needs
 * a template that renders each the same once others follow.
 */
export function encodeAnswer(
  tokenizer: Tokenizer,
  prompt: Conversation,
  answer: readonly ChatMessage[],
): MarkedTokens {
  const tools = prompt.tools && { tools: prompt.tools }
  const turns = answer.filter(({ role }) => role === 'assistant').length
  const messages = [...prompt.messages, ...answer]
  const { tokens, assistantMask } = encodeChat(tokenizer, messages, {
    marked: turns === 1 ? 'last' : 'all',
    ...tools,
  })
  if (turns === 1) return { tokens, mask: assistantMask }
  // Cut where the whole conversation is cut, so that the prompt has as many tokens here as there.
  const start = encodeChat(tokenizer, prompt.messages, { addGenerationPrompt: true, ...tools }).tokens.length
  return { tokens, mask: assistantMask.slice().fill(0, 0, start) }
}

/** A prompt and the tokens sampled after it, as they were sampled. */
export function markSampled(prompt: Int32Array, sampled: Int32Array): MarkedTokens {
  const tokens = new Int32Array(prompt.length + sampled.length)
  tokens.set(prompt)
  tokens.set(sampled, prompt.length)
  return { tokens, mask: new Uint8Array(tokens.length).fill(1, prompt.length) }
}

/** Up to the last marked token: what a template writes after an answer is no part of it. */
export function throughAnswer({ tokens, mask }: MarkedTokens): Int32Array {
  return tokens.slice(0, mask.lastIndexOf(1) + 1)
}

/** The tokens of a conversation for a reward model to score: up to the end of the assistant's last answer, where the score is read. */
export function tokensToScore(tokenizer: Tokenizer, { messages, tools }: Conversation): Int32Array {
  const { tokens, assistantMask } = encodeChat(tokenizer, messages, {
    marked: 'last',
    ...(tools && { tools }),
  })
  if (!assistantMask.includes(1))
    throw new RangeError('the conversation has no answer of the assistant to score')
  return throughAnswer({ tokens, mask: assistantMask })
}
