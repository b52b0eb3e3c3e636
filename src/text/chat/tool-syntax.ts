import { checkText, shown } from '../check-arguments.ts'
import { messageOf, TextError } from '../text-error.ts'
import { checkToolCalls } from './check-messages.ts'
import { hermesCalls } from './hermes-calls.ts'
import type { ToolCall, ToolDefinition } from './messages.ts'

/**
 * How a family writes tool calls: `hermes` (Qwen, SmolLM and most) one JSON object in each `<tool_call>` tag, `llama` the bare
 * JSON object with `parameters`, `mistral` a JSON array after `[TOOL_CALLS]`.
 */
export type ToolSyntax = 'hermes' | 'llama' | 'mistral'

/** The syntax that a chat template speaks; `hermes` where it knows no tools. */
export function toolSyntaxOf(chatTemplate: string | undefined): ToolSyntax {
  if (chatTemplate?.includes('[TOOL_CALLS]')) return 'mistral'
  if (chatTemplate?.includes('"parameters": ') && !chatTemplate.includes('<tool_call>')) return 'llama'
  return 'hermes'
}

/** What a model wrote, taken apart. */
export interface AssistantText {
  content: string
  reasoning?: string
  toolCalls: ToolCall[]
  /** Tool calls that could not be read: their text and what is wrong with it. */
  malformed: { text: string; problem: string }[]
}

/**
 * Takes a model's answer (special tokens left out) apart into reasoning (`<think>`), tool calls and the rest. Calls are named
 * `call_0`, `call_1`, ... from `firstCall`. What cannot be read is reported in `malformed`, whatever the text.
 */
export function parseAssistantText(text: string, syntax: ToolSyntax, firstCall = 0): AssistantText {
  checkText('the text', text)
  checkSyntax(syntax)
  const { reasoning, rest } = splitReasoning(text, syntax)
  const { content, pieces } = findCalls[syntax](rest)
  const parsed: AssistantText = { content: content.trim(), toolCalls: [], malformed: [] }
  if (reasoning !== undefined) parsed.reasoning = reasoning
  for (const piece of pieces) {
    try {
      for (const call of readCalls(piece))
        parsed.toolCalls.push({ id: `call_${firstCall + parsed.toolCalls.length}`, ...call })
    } catch (error) {
      parsed.malformed.push({ text: piece, problem: messageOf(error) })
    }
  }
  return parsed
}

/** Writes tool calls as the model would; the inverse of `parseAssistantText`. */
export function formatToolCalls(calls: readonly ToolCall[], syntax: ToolSyntax): string {
  checkSyntax(syntax)
  checkToolCalls('the tool calls', calls)
  const objects = calls.map(({ name, arguments: given }) => {
    try {
      return JSON.stringify(syntax === 'llama' ? { name, parameters: given } : { name, arguments: given })
    } catch (error) {
      throw new TextError(`the arguments of ${name} cannot be written as JSON: ${messageOf(error)}`)
    }
  })
  if (syntax === 'hermes') return objects.map((object) => `<tool_call>\n${object}\n</tool_call>`).join('\n')
  if (syntax === 'llama') return objects.join('; ')
  return objects.length === 0 ? '' : `[TOOL_CALLS][${objects.join(', ')}]`
}

/** Tells a model whose chat template knows no tools which it has and how to call them (the Hermes prompt). */
export function toolPrompt(tools: readonly ToolDefinition[]): string {
  const signatures = tools.map((tool) => JSON.stringify({ type: 'function', function: tool }))
  return `# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
${signatures.join('\n')}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>`
}

function checkSyntax(syntax: ToolSyntax): void {
  if (!Object.hasOwn(findCalls, syntax))
    throw new TextError(
      `the tool syntax is ${shown(syntax)}; it must be one of ${Object.keys(findCalls).join(', ')}`,
    )
}

const THINK_END = '</think>'

function splitReasoning(text: string, syntax: ToolSyntax): { reasoning?: string; rest: string } {
  const open = /^\s*<think>/.exec(text)
  const start = open?.[0].length ?? 0
  // A template that opens <think> in the prompt leaves only the closing tag in the answer, but so does a call with it in an argument.
  const end = open ? text.indexOf(THINK_END) : endOfThinking[syntax](text)
  if (end >= 0) return { reasoning: text.slice(start, end).trim(), rest: text.slice(end + THINK_END.length) }
  // An answer cut off while thinking has no content yet.
  return open ? { reasoning: text.slice(start).trim(), rest: '' } : { rest: text }
}

/** Where the first closing tag stands that no call holds; -1: nowhere. */
const endOfThinking: Record<ToolSyntax, (text: string) => number> = {
  hermes(text) {
    let end = text.indexOf(THINK_END)
    if (end < 0) return end
    for (const call of hermesCalls(text))
      if (call.start < end && end < call.end) end = text.indexOf(THINK_END, call.end)
    return end
  },
  llama: (text) => (LLAMA_CALL.test(llamaBody(text)) ? -1 : text.indexOf(THINK_END)),
  mistral(text) {
    const end = text.indexOf(THINK_END)
    return text.slice(0, Math.max(end, 0)).includes('[TOOL_CALLS]') ? -1 : end
  },
}

interface FoundCalls {
  content: string
  pieces: string[]
}

const findCalls: Record<ToolSyntax, (text: string) => FoundCalls> = {
  hermes(text) {
    const calls = hermesCalls(text)
    let content = ''
    let at = 0
    for (const { start, end } of calls) {
      content += text.slice(at, start)
      at = end
    }
    return { content: content + text.slice(at), pieces: calls.map(({ body }) => body) }
  },
  llama(text) {
    const body = llamaBody(text)
    return LLAMA_CALL.test(body) ? { content: '', pieces: splitObjects(body) } : { content: text, pieces: [] }
  },
  mistral(text) {
    const [content = '', ...pieces] = text.split('[TOOL_CALLS]')
    return { content, pieces: pieces.map((piece) => piece.trim()) }
  },
}

const LLAMA_CALL = /^\{\s*"(name|type)"\s*:/

function llamaBody(text: string): string {
  return text.replace('<|python_tag|>', '').trim()
}

/** `{...}; {...}` at its top-level semicolons. */
function splitObjects(text: string): string[] {
  const objects: string[] = []
  let depth = 0
  let inString = false
  let start = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (inString) {
      if (character === '\\') at++
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
    else if (character === ';' && depth === 0) {
      objects.push(text.slice(start, at).trim())
      start = at + 1
    }
  }
  objects.push(text.slice(start).trim())
  return objects.filter((object) => object !== '')
}

function readCalls(piece: string): Omit<ToolCall, 'id'>[] {
  let json: unknown
  try {
    json = JSON.parse(piece)
  } catch (error) {
    throw new Error(`the tool call is not valid JSON: ${messageOf(error)}`)
  }
  return (Array.isArray(json) ? json : [json]).map(readCall)
}

function readCall(json: unknown): Omit<ToolCall, 'id'> {
  if (!isObject(json)) throw new Error('a tool call must be a JSON object')
  const body = isObject(json.function) ? json.function : json
  if (typeof body.name !== 'string' || body.name === '') throw new Error('the tool call has no "name"')
  let given: unknown = body.arguments ?? body.parameters ?? {}
  // Some models write the arguments as a string of JSON, as the OpenAI API does.
  if (typeof given === 'string') {
    try {
      given = JSON.parse(given)
    } catch {
      throw new Error(`the "arguments" of ${body.name} are a string that is not JSON`)
    }
  }
  if (!isObject(given)) throw new Error(`the "arguments" of ${body.name} must be a JSON object`)
  return { name: body.name, arguments: given }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
