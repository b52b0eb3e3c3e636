import { checkObject, shown } from '../check-arguments.ts'
import { messageOf, TextError } from '../text-error.ts'
import type { Tokenizer } from '../tokenizer.ts'
import type { ChatMessage } from './messages.ts'
import { type ChatOptions, renderChat } from './render-chat.ts'

export interface EncodedChat {
  text: string
  /** Shape: [T]. */
  tokens: Int32Array
  /** 1 where the model wrote the token, the end of its turn included; 0 for the prompt and the template's own. Shape: [T]. */
  assistantMask: Uint8Array
}

export interface EncodeChatOptions extends ChatOptions {
  /** Which of the assistant's turns to mark. Default `all`. */
  marked?: 'all' | 'last'
}

interface Span {
  start: number
  end: number
}

/**
 * Messages to tokens, with a mask of those that the model wrote. A token never reaches from the prompt into an answer, so that the
 * prompt's ids are those that sampling begins from (except for tokenizers that mark a text's start, which are encoded whole).
 * Errors: as `renderChat`; a template that renders a turn differently once others follow.
 */
export function encodeChat(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: EncodeChatOptions = {},
): EncodedChat {
  checkObject('options', options)
  const { marked = 'all', ...chat } = options
  if (marked !== 'all' && marked !== 'last')
    throw new TextError(`marked is ${shown(marked)}; it must be 'all' or 'last'`)
  const text = renderChat(tokenizer, messages, chat)
  const turns = messages.flatMap((message, index) => (message.role === 'assistant' ? [index] : []))
  const spans = (marked === 'all' ? turns : turns.slice(-1)).map((turn) =>
    spanOfTurn(tokenizer, messages, turn, text, chat),
  )
  const ends = endTokens(tokenizer)
  return tokenizer.addsPrefixSpace
    ? encodeWhole(tokenizer, text, spans, ends)
    : encodeApart(tokenizer, text, spans, ends)
}

const knownEnds = new WeakMap<Tokenizer, ReadonlySet<number>>()

/** Ids at which an answer ends: the checkpoint's, and the special token with which the chat template closes an answer. */
export function endTokens(tokenizer: Tokenizer): ReadonlySet<number> {
  const known = knownEnds.get(tokenizer)
  if (known) return known
  const close = closingToken(tokenizer)
  const ends = new Set([...tokenizer.stopTokenIds, ...(close === undefined ? [] : [close])])
  knownEnds.set(tokenizer, ends)
  return ends
}

function closingToken(tokenizer: Tokenizer): number | undefined {
  if (tokenizer.chatTemplate === undefined) return undefined
  const answer = 'answer'
  let rendered: string
  try {
    rendered = renderChat(tokenizer, [
      { role: 'user', content: 'question' },
      { role: 'assistant', content: answer },
    ])
  } catch {
    // A template for other exchanges than this one (it wants a system message, say) is still good for those.
    return undefined
  }
  const after = tokenizer.encode(rendered.slice(rendered.lastIndexOf(answer) + answer.length))
  return after.find((token) => tokenizer.specialTokenIds.includes(token))
}

function spanOfTurn(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  turn: number,
  text: string,
  chat: ChatOptions,
): Span {
  const render = (count: number, addGenerationPrompt: boolean) => {
    try {
      return renderChat(tokenizer, messages.slice(0, count), { ...chat, addGenerationPrompt })
    } catch (error) {
      throw new TextError(`the tokens of assistant turn ${turn} cannot be marked: ${messageOf(error)}`)
    }
  }
  const prompt = render(turn, true)
  const through = turn + 1 === messages.length && !chat.addGenerationPrompt ? text : render(turn + 1, false)
  if (!through.startsWith(prompt) || !text.startsWith(through))
    throw new TextError(
      `the chat template renders assistant turn ${turn} differently once later messages follow, or its prompt is not how the ` +
        `turn begins, so its tokens cannot be marked; encode each turn as the last of its own row with marked: 'last'`,
    )
  return { start: prompt.length, end: through.length }
}

function encodeApart(
  tokenizer: Tokenizer,
  text: string,
  spans: Span[],
  ends: ReadonlySet<number>,
): EncodedChat {
  const parts: { ids: Int32Array; written: number }[] = []
  let at = 0
  for (const { start, end } of spans) {
    parts.push({ ids: tokenizer.encode(text.slice(at, start)), written: 0 })
    const answer = tokenizer.encode(text.slice(start, end))
    parts.push({ ids: answer, written: writtenLength(answer, ends) })
    at = end
  }
  parts.push({ ids: tokenizer.encode(text.slice(at)), written: 0 })
  const length = parts.reduce((sum, { ids }) => sum + ids.length, 0)
  const tokens = new Int32Array(length)
  const assistantMask = new Uint8Array(length)
  let position = 0
  for (const { ids, written } of parts) {
    tokens.set(ids, position)
    assistantMask.fill(1, position, position + written)
    position += ids.length
  }
  return { text, tokens, assistantMask }
}

function encodeWhole(
  tokenizer: Tokenizer,
  text: string,
  spans: Span[],
  ends: ReadonlySet<number>,
): EncodedChat {
  const { ids, offsets } = tokenizer.encodeWithOffsets(text)
  const assistantMask = new Uint8Array(ids.length)
  for (const { start, end } of spans) {
    const inside = (index: number) =>
      (offsets[2 * index] ?? 0) >= start && (offsets[2 * index + 1] ?? 0) <= end
    const first = ids.findIndex((_, index) => inside(index) && (offsets[2 * index] ?? 0) < end)
    if (first < 0) continue
    let last = first
    while (last + 1 < ids.length && inside(last + 1)) last++
    assistantMask.fill(1, first, first + writtenLength(ids.subarray(first, last + 1), ends))
  }
  return { text, tokens: ids, assistantMask }
}

/** Tokens up to the last end of turn; what follows it (a line break) is the template's. */
function writtenLength(answer: Int32Array, ends: ReadonlySet<number>): number {
  const last = answer.findLastIndex((token) => ends.has(token))
  return last < 0 ? answer.length : last + 1
}
