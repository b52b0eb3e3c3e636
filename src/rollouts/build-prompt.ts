import { type ChatMessage, type ChatOptions, endTokens, renderChat, type Tokenizer } from '../text/index.ts'
import { isGivenAnswer, type RecordedCall } from './recorded-call.ts'

export interface BuiltPrompt {
  text: string
  tokens: Int32Array
  /** The call whose prompt and drawn tokens these begin with. */
  parent?: RecordedCall
  /**
   * Whether an earlier answer is in these messages otherwise than it was drawn, so that its tokens could not
   * be kept.
   */
  broken: boolean
}

/**
 * The tokens of a prompt. Where its messages go on from a recorded call, they are that call's prompt and
 * drawn tokens as they were, and only what the template adds after the answer is encoded. An answer counts as
 * kept where the caller sends back what it was given and the template renders all up to it as it did before;
 * how the template would write the answer itself does not matter. Errors: as `renderChat`.
 */
export function buildPrompt(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  chat: ChatOptions,
  calls: readonly RecordedCall[],
): BuiltPrompt {
  const text = renderChat(tokenizer, messages, { ...chat, addGenerationPrompt: true })
  const keys = messages.map((message) => JSON.stringify(message))
  const longestFirst = [...calls].sort(
    (a, b) => b.messages.length - a.messages.length || a.occurrence - b.occurrence,
  )
  const lastAnswer = messages.findLastIndex(({ role }) => role === 'assistant')
  for (const call of longestFirst) {
    if (!continues(messages, keys, call)) continue
    const suffix = suffixTokens(tokenizer, messages, chat, text, call)
    if (suffix)
      return {
        text,
        tokens: Int32Array.from([...call.prompt, ...call.tokens, ...suffix]),
        parent: call,
        broken: call.messages.length < lastAnswer && !isFromCaller(keys, lastAnswer, calls),
      }
  }
  const tokens = tokenizer.encode(text)
  const parent = longestFirst.find((call) => beginsWith(tokens, call))
  const broken = !parent && calls.length > 0 && !isFromCaller(keys, lastAnswer, calls)
  return { text, tokens, ...(parent && { parent }), broken }
}

function continues(messages: readonly ChatMessage[], keys: string[], call: RecordedCall): boolean {
  const length = call.messages.length
  return (
    length < messages.length &&
    isGivenAnswer(messages[length], call.answer) &&
    call.messages.every((message, index) => JSON.stringify(message) === keys[index])
  )
}

/**
 * Whether the last assistant's message was never drawn: there is none, or a recorded prompt already came with
 * it.
 */
function isFromCaller(keys: string[], lastAnswer: number, calls: readonly RecordedCall[]): boolean {
  return (
    lastAnswer < 0 ||
    calls.some(
      ({ messages }) =>
        messages.length > lastAnswer &&
        keys.slice(0, lastAnswer + 1).every((key, index) => key === JSON.stringify(messages[index])),
    )
  )
}

function beginsWith(tokens: Int32Array, { prompt, tokens: drawn }: RecordedCall): boolean {
  return (
    tokens.length > prompt.length + drawn.length &&
    prompt.every((token, index) => tokens[index] === token) &&
    drawn.every((token, index) => tokens[prompt.length + index] === token)
  )
}

/**
 * The tokens of what follows the call's answer; undefined where the template renders what came before it
 * differently now.
 */
function suffixTokens(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  chat: ChatOptions,
  text: string,
  call: RecordedCall,
): Int32Array | undefined {
  let through: string
  try {
    through = renderChat(tokenizer, messages.slice(0, call.messages.length + 1), chat)
  } catch {
    // A template that refuses to end with an answer cannot say where the answer ends.
    return undefined
  }
  if (!through.startsWith(call.promptText) || !text.startsWith(through)) return undefined
  return encodeFrom(tokenizer, text, answerEnd(tokenizer, through, chat, call))
}

/**
 * Where what the model wrote ends in a text that ends with its turn: after its end token where it drew one,
 * before it where not.
 */
function answerEnd(tokenizer: Tokenizer, through: string, chat: ChatOptions, call: RecordedCall): number {
  const find = (token: number) => {
    const text = tokenizer.idToToken(token) ?? ''
    const at = text === '' ? -1 : through.lastIndexOf(text)
    return { at: at < call.promptText.length ? -1 : at, length: text.length }
  }
  const ends = endTokens(tokenizer)
  const drawn = call.tokens.at(-1)
  if (drawn !== undefined && ends.has(drawn)) {
    const { at, length } = find(drawn)
    if (at >= 0) return at + length
  }
  const at = Math.max(...[...ends].map((token) => find(token).at))
  return at >= 0 ? at : through.length - closingLength(tokenizer, through, chat)
}

/** Length of what a template without an end token writes after an answer, such as a line break. */
function closingLength(tokenizer: Tokenizer, through: string, chat: ChatOptions): number {
  const answer = 'answer'
  try {
    const probe: ChatMessage[] = [
      { role: 'user', content: 'question' },
      { role: 'assistant', content: answer },
    ]
    const rendered = renderChat(tokenizer, probe, chat)
    const closing = rendered.slice(rendered.lastIndexOf(answer) + answer.length)
    return through.endsWith(closing) ? closing.length : 0
  } catch {
    return 0
  }
}

/**
 * The tokens of a text from a position on, as they are within it where the tokenizer treats a text's start
 * apart.
 */
function encodeFrom(tokenizer: Tokenizer, text: string, start: number): Int32Array {
  if (!tokenizer.addsPrefixSpace) return tokenizer.encode(text.slice(start))
  const { ids, offsets } = tokenizer.encodeWithOffsets(text)
  const first = ids.findIndex((_, index) => (offsets[2 * index] ?? 0) >= start)
  const aligned = first >= 0 && offsets[2 * first] === start
  return aligned || start >= text.length
    ? ids.slice(aligned ? first : ids.length)
    : tokenizer.encode(text.slice(start))
}
