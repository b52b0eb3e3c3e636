import type { Language } from '../../sandbox/types.ts'

/** What the answer must define. */
export interface AnswerTarget {
  language: Language
  entryPoint: string
}

const fenceNames: Record<Language, string[]> = {
  javascript: ['javascript', 'js', 'jsx', 'mjs', 'node'],
  typescript: ['typescript', 'ts', 'tsx', 'mts'],
  python: ['python', 'py', 'python3'],
}

/** How a line of bare code at the left margin begins. */
const codeLine: Record<Language, RegExp> = {
  javascript:
    /^(?:async\s|function\b|class\s|const\s|let\s|var\s|export\s|import\s|["']use strict|\/\/|\/\*|[})\]])/,
  typescript:
    /^(?:async\s|function\b|class\s|const\s|let\s|var\s|export\s|import\s|type\s\w+\s*[=<]|interface\s|enum\s|\/\/|\/\*|[})\]])/,
  python:
    /^(?:def\s|async\s+def\s|class\s|import\s\w|from\s+[\w.]+\s+import\s|@\w|if __name__|#|[)\]}]|[A-Za-z_]\w*\s*(?::[^=\n]+)?=[^=])/,
}

/**
 * The code in a model's message, or null when there is none. The rules, in order:
 *
 * 1. `<think>` blocks are not part of the answer; one that is never closed hides everything after it.
 * 2. With fenced blocks: those in the target's language, else those without a language, else all. Of these the last one
 *    that defines the entry point; else the last one. A fence that is never closed ends with the message.
 * 3. Without fences, bare code: from the first line at the left margin that reads as code of the language, through all
 *    lines that read as code, are indented or are blank. It must define the entry point.
 */
export function extractAnswer(message: string, target: AnswerTarget): string | null {
  const answer = withoutThinking(message)
  const blocks = fencedBlocks(answer)
  if (blocks.length === 0) return bareCode(answer, target)
  const candidates = preferredBlocks(blocks, target.language)
  const chosen =
    candidates.findLast((block) => definesName(block.code, target.entryPoint, target.language)) ??
    candidates.at(-1)!
  return chosen.code.trim() === '' ? null : chosen.code
}

/** Whether the code has a line that defines the name: a function, a class, or an assignment. */
export function definesName(code: string, name: string, language: Language): boolean {
  const escaped = name.replaceAll('$', '\\$')
  const definition =
    language === 'python'
      ? `^(?:async +def|def|class) +${escaped}\\b|^${escaped} *(?::[^=\\n]*)?=(?!=)`
      : `^(?:export +)?(?:default +)?(?:(?:async +)?function *\\*? *|class +|(?:const|let|var) +)${escaped}(?![\\w$])`
  return new RegExp(definition, 'mu').test(code)
}

function withoutThinking(message: string): string {
  const parts = message.split('<think>')
  return parts.map((part, i) => (i === 0 ? part : (part.split('</think>')[1] ?? ''))).join('')
}

interface FencedBlock {
  /** The first word after the opening fence, lower case; empty when there is none. */
  language: string
  code: string
}

/** CommonMark's rule: three or more backticks or tildes open; at least as many of the same, alone on a line, close. */
function fencedBlocks(text: string): FencedBlock[] {
  const blocks: FencedBlock[] = []
  let open: { fence: string; indent: number; language: string; lines: string[] } | undefined
  for (const line of text.split(/\r?\n/)) {
    const match = /^( *)(`{3,}|~{3,})(.*)$/.exec(line)
    const [, indent = '', fence = '', rest = ''] = match ?? []
    if (open === undefined) {
      if (match && !(fence.startsWith('`') && rest.includes('`'))) {
        open = {
          fence,
          indent: indent.length,
          language: rest
            .trim()
            .split(/[\s{,:]/)[0]!
            .toLowerCase(),
          lines: [],
        }
      }
    } else if (
      match &&
      fence[0] === open.fence[0] &&
      fence.length >= open.fence.length &&
      rest.trim() === ''
    ) {
      blocks.push({ language: open.language, code: `${open.lines.join('\n')}\n` })
      open = undefined
    } else {
      open.lines.push(dedent(line, open.indent))
    }
  }
  if (open !== undefined) blocks.push({ language: open.language, code: `${open.lines.join('\n')}\n` })
  return blocks
}

/** The line without the spaces that its fence is indented by, as far as it has them. */
function dedent(line: string, spaces: number): string {
  const own = line.length - line.trimStart().length
  return line.slice(Math.min(spaces, own))
}

function preferredBlocks(blocks: FencedBlock[], language: Language): FencedBlock[] {
  const named = blocks.filter((block) => fenceNames[language].includes(block.language))
  if (named.length > 0) return named
  const unnamed = blocks.filter((block) => block.language === '')
  return unnamed.length > 0 ? unnamed : blocks
}

function bareCode(text: string, { language, entryPoint }: AnswerTarget): string | null {
  const lines = text.split(/\r?\n/)
  const start = lines.findIndex((line) => codeLine[language].test(line))
  if (start < 0) return null
  const length = lines
    .slice(start)
    .findIndex((line) => !/^\s|^$/.test(line) && !codeLine[language].test(line))
  const code = lines.slice(start, length < 0 ? undefined : start + length).join('\n')
  return definesName(code, entryPoint, language) ? `${code.trimEnd()}\n` : null
}
