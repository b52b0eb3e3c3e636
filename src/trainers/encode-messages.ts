import type { MessagesExample } from '../data/index.ts'
import type { MaskedExample } from '../losses/index.ts'
import { encodeChat, type Tokenizer } from '../text/index.ts'
import { exampleOfTokens } from './masked-examples.ts'

export interface MessagesOptions {
  /** Most tokens of a conversation, at least 2. */
  maxTokens: number
  /** What becomes of a longer one: left out and counted, cut at the end and counted, or an error. Default `drop`. */
  overlong?: 'drop' | 'truncate' | 'throw'
  /** What becomes of a conversation in which the assistant says nothing: an error, or left out and counted. Default `throw`. */
  untrainable?: 'throw' | 'drop'
  /**
   * Which answers train: all in one row, the last one, or each in a row of its own. `each` is for templates that render a turn
   * differently once others follow (Qwen3 drops earlier reasoning); the engine computes what rows share once. Default `all`.
   */
  answers?: 'all' | 'last' | 'each'
  /** Further variables of the chat template, such as `enable_thinking`. */
  templateOptions?: Record<string, unknown>
}

export interface EncodedMessages {
  examples: MaskedExample[]
  /** Rows that were cut, left out for their length, and left out for want of an answer. */
  truncated: number
  dropped: number
  untrainable: number
  /** The same in words; empty where all is 0. */
  notes: string[]
}

/**
 * Conversations as examples that train on the assistant's tokens alone, ends of turns included.
 *
 * @throws RangeError naming the conversation that cannot be used, or when none is left
 */
export function encodeMessages(
  tokenizer: Tokenizer,
  conversations: readonly MessagesExample[],
  options: MessagesOptions,
): EncodedMessages {
  const { maxTokens, overlong = 'drop', untrainable = 'throw', answers = 'all' } = options
  const encoded: EncodedMessages = { examples: [], truncated: 0, dropped: 0, untrainable: 0, notes: [] }
  for (const [index, conversation] of conversations.entries())
    for (const row of answers === 'each' ? oneAnswerEach(conversation) : [conversation]) {
      let { tokens, mask } = encodeRow(tokenizer, row, index, options)
      if (tokens.length > maxTokens) {
        if (overlong === 'throw')
          throw new RangeError(
            `conversation ${index} has ${tokens.length} tokens; the most is ${maxTokens}. Raise maxTokens, or set overlong to 'drop' or 'truncate'`,
          )
        if (overlong === 'drop') {
          encoded.dropped++
          continue
        }
        encoded.truncated++
        ;[tokens, mask] = [tokens.slice(0, maxTokens), mask.slice(0, maxTokens)]
      }
      if (!mask.includes(1, 1)) {
        if (untrainable === 'throw')
          throw new RangeError(
            `conversation ${index} has no token of the assistant within ${maxTokens} tokens, so it would train nothing; mend it, or set untrainable to 'drop'`,
          )
        encoded.untrainable++
        continue
      }
      encoded.examples.push(exampleOfTokens(tokens, mask))
    }
  if (encoded.examples.length === 0)
    throw new RangeError(
      `none of ${conversations.length} conversations can be trained on: ${notesOf(encoded, maxTokens).join('; ') || 'there are none'}`,
    )
  return { ...encoded, notes: notesOf(encoded, maxTokens) }
}

function encodeRow(tokenizer: Tokenizer, row: MessagesExample, index: number, options: MessagesOptions) {
  const { answers = 'all', templateOptions } = options
  try {
    const { tokens, assistantMask } = encodeChat(tokenizer, row.messages, {
      marked: answers === 'all' ? 'all' : 'last',
      ...(row.tools && { tools: row.tools }),
      ...(templateOptions && { templateOptions }),
    })
    return { tokens, mask: assistantMask }
  } catch (error) {
    throw new RangeError(`conversation ${index}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

/** The conversation up to each answer; one without answers as it is. */
function oneAnswerEach(conversation: MessagesExample): MessagesExample[] {
  const { messages } = conversation
  const rows = messages.flatMap(({ role }, index) =>
    role === 'assistant' ? [{ ...conversation, messages: messages.slice(0, index + 1) }] : [],
  )
  return rows.length > 0 ? rows : [conversation]
}

function notesOf(counts: Omit<EncodedMessages, 'examples' | 'notes'>, maxTokens: number): string[] {
  const notes = [
    [counts.truncated, `cut to ${maxTokens} tokens`],
    [counts.dropped, `left out: longer than ${maxTokens} tokens`],
    [counts.untrainable, 'left out: no token of the assistant'],
  ] as const
  return notes.flatMap(([count, what]) =>
    count > 0 ? [`${count} ${count === 1 ? 'row' : 'rows'} ${what}`] : [],
  )
}
