import { messageOf } from '../text-error.ts'
import type { Tokenizer } from '../tokenizer.ts'
import type { ChatMessage, ToolDefinition } from './messages.ts'
import { renderChat } from './render-chat.ts'

const user: ChatMessage = { role: 'user', content: 'question' }
const system: ChatMessage = { role: 'system', content: 'instructions' }
const tool: ToolDefinition = { name: 'tool', description: 'A tool', parameters: { type: 'object' } }

/** The exchanges that programs begin with. Templates refuse some of them with good reason (no system message, tools only). */
const beginnings = [
  { messages: [user] },
  { messages: [system, user] },
  { messages: [user], tools: [tool] },
  { messages: [system, user], tools: [tool] },
]

/** What is wrong with a tokenizer's chat template that does not parse or renders no conversation at all, found before any is asked for. */
export function templateProblem(
  tokenizer: Tokenizer,
  templateOptions: Record<string, unknown> = {},
): string | undefined {
  let first: string | undefined
  for (const { messages, ...more } of beginnings)
    try {
      const text = renderChat(tokenizer, messages, { ...more, templateOptions, addGenerationPrompt: true })
      if (messages.some(({ content }) => text.includes(content))) return undefined
      first ??= 'the chat template leaves the messages out of what it renders'
    } catch (error) {
      first ??= messageOf(error)
    }
  return first
}
