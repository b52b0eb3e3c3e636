import { stripTypeScriptTypes } from 'node:module'
import type { Language } from './types.ts'

/** Node's parser of TypeScript broke on a source, and may be broken for all that come after. */
export class ParserBroken extends Error {
  override name = 'SyntaxError'
}

/** What Node says of a source, as against what it says when its parser breaks. */
const verdicts = ['ERR_INVALID_TYPESCRIPT_SYNTAX', 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX']

/**
 * JavaScript of either language. Types become blanks, so that lines and columns stay; only what has no JavaScript of
 * its own (enums, namespaces, parameter properties) is rewritten. Throws a SyntaxError where TypeScript does not parse,
 * ParserBroken where the thread must not parse again.
 */
export function toJavaScript(language: Language, source: string): string {
  if (language !== 'typescript') return source
  try {
    return strip(source, 'strip')
  } catch (error) {
    if (error instanceof ParserBroken) throw error
    return strip(source, 'transform')
  }
}

function strip(source: string, mode: 'strip' | 'transform'): string {
  try {
    return stripTypeScriptTypes(source, { mode })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (verdicts.includes(code ?? '')) throw error
    throw new ParserBroken(`the TypeScript parser gave up: ${message.split('\n')[0]}`)
  }
}
