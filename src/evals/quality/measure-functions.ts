import type { Node } from 'web-tree-sitter'
import { isDecision, nests, type Syntax } from './syntax.ts'

export interface FunctionMeasures {
  /** `(anonymous)` where it has none, `(module)` for the code outside functions. */
  name: string
  /** From 1. */
  line: number
  /** Lines from the first to the last. */
  lines: number
  parameters: number
  /** McCabe's cyclomatic complexity: 1 + decisions and short-circuit operators of its own code, inner functions apart. */
  complexity: number
  /** Levels of control structures within each other; 0 for straight code. */
  nesting: number
}

interface Visit {
  node: Node
  owner: FunctionMeasures
  depth: number
}

/** The measures of each function, the code outside all functions first. */
export function measureFunctions(root: Node, syntax: Syntax): FunctionMeasures[] {
  const module: FunctionMeasures = { ...emptyMeasures(root), name: '(module)', parameters: 0 }
  const measured = [module]
  const pending: Visit[] = [{ node: root, owner: module, depth: 0 }]
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    const next = enter(visit, syntax, measured)
    const children = visit.node.namedChildren
    for (let i = children.length - 1; i >= 0; i--) pending.push({ ...next, node: children[i]! })
  }
  return measured
}

function enter(
  { node, owner, depth }: Visit,
  syntax: Syntax,
  measured: FunctionMeasures[],
): Omit<Visit, 'node'> {
  if (syntax.functions.has(node.type)) {
    const own = emptyMeasures(node)
    measured.push(own)
    return { owner: own, depth: 0 }
  }
  if (isDecision(node, syntax)) owner.complexity += 1
  if (!nests(node, syntax)) return { owner, depth }
  owner.nesting = Math.max(owner.nesting, depth + 1)
  return { owner, depth: depth + 1 }
}

function emptyMeasures(node: Node): FunctionMeasures {
  return {
    name: functionName(node),
    line: node.startPosition.row + 1,
    lines: node.endPosition.row - node.startPosition.row + 1,
    parameters: parametersOf(node).length,
    complexity: 1,
    nesting: 0,
  }
}

function functionName(node: Node): string {
  const named =
    node.childForFieldName('name') ??
    node.parent?.childForFieldName('name') ??
    node.parent?.childForFieldName('left')
  return named?.text.slice(0, 80) ?? '(anonymous)'
}

/** The parameter nodes of a function; `self` and `cls` of Python do not count. */
export function parametersOf(node: Node): Node[] {
  const list = node.childForFieldName('parameters')
  const single = node.childForFieldName('parameter')
  const nodes = list ? list.namedChildren.filter((child) => child !== null) : single ? [single] : []
  return nodes.filter((child) => child.type !== 'comment' && child.text !== 'self' && child.text !== 'cls')
}
