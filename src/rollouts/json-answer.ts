import { z } from 'zod'
import type { ChatMessage } from '../text/index.ts'
import { messageOf } from './rollout-error.ts'

/** What a caller wants of an answer in JSON. */
export interface JsonFormat {
  schema?: object | undefined
  name?: string | undefined
  description?: string | undefined
}

/** Asks for JSON at the end of the system message, which is added where there is none. */
export function askForJson(messages: readonly ChatMessage[], format: JsonFormat): ChatMessage[] {
  const request = [
    format.name && `Answer with a JSON value called ${format.name}.`,
    format.description,
    format.schema && `JSON schema:\n${JSON.stringify(format.schema)}`,
    `Answer with JSON${format.schema ? ' that matches the schema' : ''} and nothing else.`,
  ]
    .filter((line) => line)
    .join('\n')
  const [first, ...rest] = messages
  return first?.role === 'system'
    ? [{ role: 'system', content: `${first.content}\n\n${request}` }, ...rest]
    : [{ role: 'system', content: request }, ...messages]
}

/**
 * The JSON in an answer: the whole of it, a fenced block, or the first whole object or array. Undefined where
 * there is none.
 */
export function extractJson(text: string): string | undefined {
  const fenced = [...text.matchAll(/```(?:json)?\s*\n([\s\S]*?)```/g)].map((match) => match[1] as string)
  for (const candidate of [text, ...fenced]) if (isJson(candidate)) return candidate.trim()
  let at = text.search(/[{[]/)
  while (at >= 0) {
    const end = closingBracket(text, at)
    const candidate = end === undefined ? '' : text.slice(at, end + 1)
    if (candidate !== '' && isJson(candidate)) return candidate
    const next = text.slice(at + 1).search(/[{[]/)
    at = next < 0 ? -1 : at + 1 + next
  }
  return undefined
}

export interface JsonCheck {
  /** What is wrong with the answer. */
  problem?: string
  /** Why it could not be told. */
  unchecked?: string
}

/** Checks an answer's JSON, if it has any, against its schema, if it has one. */
export function checkJson(json: string | undefined, format: JsonFormat): JsonCheck {
  if (json === undefined) return { problem: 'the answer holds no JSON' }
  if (!format.schema) return {}
  let schema: z.ZodType
  try {
    schema = z.fromJSONSchema(format.schema as Parameters<typeof z.fromJSONSchema>[0])
  } catch (error) {
    return {
      unchecked: `the answer was not checked against its schema, which cannot be read: ${messageOf(error)}`,
    }
  }
  const checked = schema.safeParse(JSON.parse(json))
  return checked.success
    ? {}
    : { problem: `the answer does not fit its schema:\n${z.prettifyError(checked.error)}` }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function closingBracket(text: string, start: number): number | undefined {
  let depth = 0
  let inString = false
  for (let at = start; at < text.length; at++) {
    const character = text[at]
    if (inString) {
      if (character === '\\') at++
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '{' || character === '[') depth++
    else if ((character === '}' || character === ']') && --depth === 0) return at
  }
  return undefined
}
