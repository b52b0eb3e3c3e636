import { parseAssistantText, type Tokenizer, type ToolSyntax } from '../text/index.ts'

/** How an answer is to be read. */
export interface AnswerFormat {
  syntax: ToolSyntax
  /** Whether tools are offered; without them nothing is read as a call. */
  tools: boolean
  /** Whether the prompt already opened `<think>`. */
  thinking: boolean
  /** Texts before which the answer ends. */
  stopStrings: readonly string[]
}

/** An answer taken apart. */
export interface Answer {
  reasoning?: string
  text: string
  /** The input as JSON; what the model wrote where it is not valid. */
  toolCalls: { name: string; input: string }[]
}

/** What of an unfinished answer will not change any more. */
export interface SettledAnswer {
  reasoning: string
  text: string
}

const callMarkers: Record<ToolSyntax, string> = {
  hermes: '<tool_call>',
  llama: '<|python_tag|>',
  mistral: '[TOOL_CALLS]',
}
const THINK = '<think>'
const END_THINK = '</think>'
/**
 * Tokens that carry meaning even where the vocabulary marks them special; other special tokens are no part of
 * the text.
 */
const meaningful = new Set([THINK, END_THINK, '</tool_call>', ...Object.values(callMarkers)])

/** Whether a token is part of the answer's text. */
export function textTokenFilter(tokenizer: Tokenizer): (token: number) => boolean {
  const silent = new Set(
    tokenizer.specialTokenIds.filter((id) => !meaningful.has(tokenizer.idToToken(id) ?? '')),
  )
  return (token) => !silent.has(token)
}

/**
 * Takes a whole answer apart. A malformed call that names its tool is a call with invalid input; one that
 * does not is text.
 */
export function readAnswer(written: string, format: AnswerFormat): Answer {
  const { reasoning, rest } = splitReasoning(cutAtStop(written, format.stopStrings), format.thinking)
  const thought = reasoning !== undefined && { reasoning: reasoning.trim() }
  if (!format.tools) return { ...thought, text: rest.trim(), toolCalls: [] }
  // Without the pair of tags a stray closing tag would be taken for the end of reasoning.
  const parsed = parseAssistantText(`${THINK}${END_THINK}${rest}`, format.syntax)
  const toolCalls = parsed.toolCalls.map((call) => ({
    name: call.name,
    input: JSON.stringify(call.arguments),
  }))
  const unnamed: string[] = []
  for (const { text } of parsed.malformed) {
    const name = nameIn(text)
    if (name === undefined) unnamed.push(unreadCall(text, format.syntax))
    else toolCalls.push({ name, input: rawInput(text) })
  }
  return {
    ...thought,
    text: [parsed.content, ...unnamed].filter((part) => part !== '').join('\n'),
    toolCalls,
  }
}

/** The beginning of an answer that stays as it is whatever follows; `readAnswer` of the whole begins with it. */
export function settledAnswer(written: string, format: AnswerFormat): SettledAnswer {
  const cut = cutAtStop(written, format.stopStrings)
  const held = cut.length < written.length ? 0 : partialEnd(cut, format.stopStrings)
  const safe = cut.slice(0, cut.length - held)
  const begun = safe.trimStart()
  if (begun === '' || (THINK.startsWith(begun) && begun !== THINK)) return { reasoning: '', text: '' }
  const { reasoning, rest, open } = splitReasoning(safe, format.thinking)
  if (open) return { reasoning: withoutPartial(reasoning ?? '', [END_THINK]).trim(), text: '' }
  return { reasoning: reasoning?.trim() ?? '', text: settledText(rest, format).trim() }
}

function settledText(rest: string, format: AnswerFormat): string {
  if (!format.tools) return rest
  const marker = callMarkers[format.syntax]
  if (format.syntax === 'llama') {
    // A bare object may turn out to be a call, and nothing else does.
    const start = rest.trimStart()
    return start.startsWith('{') || start.startsWith(marker) || marker.startsWith(start) ? '' : rest
  }
  const at = rest.indexOf(marker)
  return at >= 0 ? rest.slice(0, at) : withoutPartial(rest, [marker])
}

function splitReasoning(text: string, opened: boolean): { reasoning?: string; rest: string; open?: boolean } {
  const tag = /^\s*<think>/.exec(text)?.[0]
  if (!opened && tag === undefined) return { rest: text }
  const body = text.slice(tag?.length ?? 0)
  const end = body.indexOf(END_THINK)
  if (end < 0) return { reasoning: body, rest: '', open: true }
  return { reasoning: body.slice(0, end), rest: body.slice(end + END_THINK.length) }
}

function nameIn(piece: string): string | undefined {
  const literal = /"name"\s*:\s*("(?:[^"\\]|\\.)+")/.exec(piece)?.[1]
  if (literal === undefined) return undefined
  try {
    return JSON.parse(literal)
  } catch {
    return undefined
  }
}

/**
 * The arguments where the call is JSON, such that they fail the tool's schema; else the whole call, which no
 * JSON parser takes.
 */
function rawInput(piece: string): string {
  try {
    const call = JSON.parse(piece)
    const given = call.arguments ?? call.parameters
    return given === undefined ? piece : JSON.stringify(given)
  } catch {
    return piece
  }
}

function unreadCall(piece: string, syntax: ToolSyntax): string {
  if (syntax === 'llama') return piece
  return syntax === 'mistral'
    ? `${callMarkers.mistral}${piece}`
    : `${callMarkers.hermes}\n${piece}\n</tool_call>`
}

function cutAtStop(text: string, stops: readonly string[]): string {
  const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
  return found.length > 0 ? text.slice(0, Math.min(...found)) : text
}

function withoutPartial(text: string, markers: readonly string[]): string {
  return text.slice(0, text.length - partialEnd(text, markers))
}

/** Length of the longest end of the text that may become one of the markers. */
function partialEnd(text: string, markers: readonly string[]): number {
  let longest = 0
  for (const marker of markers)
    for (let length = Math.min(marker.length - 1, text.length); length > longest; length--)
      if (text.endsWith(marker.slice(0, length))) longest = length
  return longest
}
