import type { Node } from 'web-tree-sitter'
import type { Language } from '../../sandbox/types.ts'
import { parametersOf } from './measure-functions.ts'
import { introducedNames } from './names.ts'
import { ecmascriptRules, pythonRules, type Rule } from './smell-rules.ts'
import { type Syntax, syntaxOf, walk } from './syntax.ts'

/** Something a linter would report. */
export interface Smell {
  rule: string
  /** From 1. */
  line: number
}

/** More are hard to call rightly; Pylint's default too. */
const mostParameters = 5

/** The smells of a tree in source order. The rules are in smell-rules.ts; three need more than one node and are here. */
export function findSmells(root: Node, language: Language): Smell[] {
  const syntax = syntaxOf(language)
  const rules = language === 'python' ? pythonRules : ecmascriptRules
  const smells: Smell[] = []
  for (const node of walk(root)) {
    const found = [
      ...matching(rules, node),
      ...structural(node, syntax),
      ...(syntax.functions.has(node.type) ? unused(node, language) : []),
    ]
    smells.push(...found.map(({ rule, at }) => ({ rule, line: at.startPosition.row + 1 })))
  }
  return smells.sort((a, b) => a.line - b.line)
}

interface Found {
  rule: string
  at: Node
}

function matching(rules: Record<string, Rule>, node: Node): Found[] {
  return Object.entries(rules).flatMap(([rule, { types, test }]) =>
    types.includes(node.type) && test(node) ? [{ rule, at: node }] : [],
  )
}

function structural(node: Node, syntax: Syntax): Found[] {
  const found: Found[] = []
  if (syntax.functions.has(node.type) && parametersOf(node).length > mostParameters)
    found.push({ rule: 'too-many-parameters', at: node })
  if (syntax.blocks.has(node.type)) {
    const statements = node.namedChildren.filter((child) => child !== null && child.type !== 'comment')
    const exit = statements.findIndex((statement) => syntax.exits.has(statement!.type))
    const next = exit < 0 ? undefined : statements[exit + 1]
    if (next && !/function/.test(next.type)) found.push({ rule: 'unreachable-code', at: next })
  }
  return found
}

/** Variables that a function sets and never reads. Inner functions' reads count; names that begin with `_` are meant so. */
function unused(owner: Node, language: Language): Found[] {
  const body = owner.childForFieldName('body')
  if (body === null) return []
  const introduced = introducedNames(body, language).filter(({ kind }) => kind === 'variable')
  if (introduced.length === 0) return []
  const places = new Set(introduced.map(({ node }) => node.id))
  const reads = new Set<string>()
  for (const node of walk(body)) {
    if (/identifier/.test(node.type) && !places.has(node.id)) reads.add(node.text)
  }
  const names = new Map(introduced.toReversed().map(({ node }) => [node.text, node]))
  return [...names]
    .filter(([name]) => !reads.has(name) && !name.startsWith('_'))
    .map(([, at]) => ({ rule: 'unused-variable', at }))
}
