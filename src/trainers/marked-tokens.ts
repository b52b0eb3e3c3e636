import { type ChatMessage, encodeChat, type Tokenizer, type ToolDefinition } from '../text/index.ts'

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
  return encodeChat(tokenizer, messages, { addGenerationPrompt: true, ...(tools && { tools }) }).tokens
}

/** A conversation gone on with by an answer; only what the assistant wrote in the answer is marked. */
export function encodeAnswer(
  tokenizer: Tokenizer,
  prompt: readonly ChatMessage[],
  answer: readonly ChatMessage[],
): MarkedTokens {
  const { tokens, assistantMask } = encodeChat(tokenizer, [...prompt, ...answer])
  const mask = assistantMask.slice()
  mask.fill(0, 0, promptTokens(tokenizer, { messages: prompt }).length)
  return { tokens, mask }
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
