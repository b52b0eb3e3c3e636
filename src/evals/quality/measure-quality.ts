import type { Node } from 'web-tree-sitter'
import type { Language } from '../../sandbox/types.ts'
import { type FunctionMeasures, measureFunctions } from './measure-functions.ts'
import { introducedNames, isConventional } from './names.ts'
import { parseSource } from './parse-source.ts'
import { findSmells, type Smell } from './smells.ts'
import { syntaxOf, walk } from './syntax.ts'

/** How a program reads. Nothing here says whether it is right; that is for the tests. */
export interface CodeQuality {
  /** False for source with syntax errors: the other figures then cover what could be parsed. */
  parses: boolean
  /** Lines with code on them. */
  codeLines: number
  /** Lines with a comment or a docstring on them. */
  commentLines: number
  functions: FunctionMeasures[]
  /** Names introduced; those against the language's convention; those of one letter that are no loop variable. */
  names: { count: number; unconventional: string[]; oneLetter: string[] }
  smells: Smell[]
}

/** Larger source is no answer to a task, and its tree would take gigabytes. */
export const largestSource = 2 ** 20

/** Measures the quality of source. Throws a RangeError for source of more than 1 MiB. */
export async function measureQuality(source: string, language: Language): Promise<CodeQuality> {
  if (source.length > largestSource) {
    throw new RangeError(
      `the source has ${source.length} characters; quality is measured up to ${largestSource}`,
    )
  }
  const tree = await parseSource(source, language)
  try {
    const root = tree.rootNode
    const introduced = introducedNames(root, language)
    const textOf = new Map(introduced.map(({ node, kind }) => [node.text, kind]))
    return {
      parses: !root.hasError,
      ...countLines(source, commentRows(tree.rootNode)),
      functions: measureFunctions(root, syntaxOf(language)),
      names: {
        count: textOf.size,
        unconventional: [...textOf]
          .filter(([name, kind]) => !isConventional(name, kind, language))
          .map(([name]) => name),
        oneLetter: [...textOf]
          .filter(([name, kind]) => kind === 'variable' && /^[a-zA-Z]$/.test(name))
          .map(([name]) => name),
      },
      smells: findSmells(root, language),
    }
  } finally {
    tree.delete()
  }
}

/** Rows (from 0) with a comment or docstring; the value says whether the row has nothing else. */
function commentRows(root: Node): Map<number, boolean> {
  const rows = new Map<number, boolean>()
  for (const node of walk(root)) {
    const isDocstring =
      node.type === 'expression_statement' &&
      node.namedChildCount === 1 &&
      node.namedChildren[0]?.type === 'string'
    if (node.type !== 'comment' && !isDocstring) continue
    const startsLine =
      node.previousSibling === null || node.previousSibling.endPosition.row < node.startPosition.row
    for (let row = node.startPosition.row; row <= node.endPosition.row; row++) {
      rows.set(row, startsLine || row > node.startPosition.row)
    }
  }
  return rows
}

function countLines(
  source: string,
  comments: Map<number, boolean>,
): { codeLines: number; commentLines: number } {
  const isCode = (line: string, row: number) => line.trim() !== '' && comments.get(row) !== true
  return { codeLines: source.split('\n').filter(isCode).length, commentLines: comments.size }
}
