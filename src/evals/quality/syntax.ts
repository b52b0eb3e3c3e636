import type { Node } from 'web-tree-sitter'
import type { Language } from '../../sandbox/types.ts'

/** What the node types of a grammar mean. */
export interface Syntax {
  functions: Set<string>
  /** Each adds one path through its function. */
  decisions: Set<string>
  /** Each puts its content one level deeper. */
  nesting: Set<string>
  /** Operators that decide, of binary or boolean expressions. */
  decidingOperators: Set<string>
  /** Nothing after them in their block is reached. */
  exits: Set<string>
  blocks: Set<string>
}

const ecmascript: Syntax = {
  functions: new Set([
    'function_declaration',
    'function_expression',
    'generator_function',
    'generator_function_declaration',
    'arrow_function',
    'method_definition',
  ]),
  decisions: new Set([
    'if_statement',
    'for_statement',
    'for_in_statement',
    'while_statement',
    'do_statement',
    'switch_case',
    'catch_clause',
    'ternary_expression',
  ]),
  nesting: new Set([
    'if_statement',
    'for_statement',
    'for_in_statement',
    'while_statement',
    'do_statement',
    'switch_statement',
    'try_statement',
  ]),
  decidingOperators: new Set(['&&', '||', '??', '&&=', '||=', '??=']),
  exits: new Set(['return_statement', 'throw_statement', 'break_statement', 'continue_statement']),
  blocks: new Set(['program', 'statement_block']),
}

const python: Syntax = {
  functions: new Set(['function_definition', 'lambda']),
  decisions: new Set([
    'if_statement',
    'elif_clause',
    'for_statement',
    'while_statement',
    'except_clause',
    'conditional_expression',
    'for_in_clause',
    'if_clause',
    'case_clause',
  ]),
  nesting: new Set([
    'if_statement',
    'for_statement',
    'while_statement',
    'try_statement',
    'with_statement',
    'match_statement',
  ]),
  decidingOperators: new Set(['and', 'or']),
  exits: new Set(['return_statement', 'raise_statement', 'break_statement', 'continue_statement']),
  blocks: new Set(['module', 'block']),
}

/** The meanings for a language; JavaScript and TypeScript share theirs. */
export function syntaxOf(language: Language): Syntax {
  return language === 'python' ? python : ecmascript
}

/** Whether the node adds a path to its function: a decision, or a short-circuit operator. `case _` does not. */
export function isDecision(node: Node, syntax: Syntax): boolean {
  if (node.type === 'case_clause') return node.namedChildren[0]?.text !== '_'
  if (syntax.decisions.has(node.type)) return true
  const operator = node.childForFieldName('operator')
  return operator !== null && node.childCount === 3 && syntax.decidingOperators.has(operator.type)
}

/** Whether the node's content is one level deeper; `else if` stays on the level of its `if`. */
export function nests(node: Node, syntax: Syntax): boolean {
  return (
    syntax.nesting.has(node.type) && !(node.type === 'if_statement' && node.parent?.type === 'else_clause')
  )
}

/** The named nodes under the root in source order, without recursion, so that no nesting depth overflows the stack. */
export function* walk(root: Node): Generator<Node> {
  const pending: Node[] = [root]
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    yield node
    const children = node.namedChildren
    for (let i = children.length - 1; i >= 0; i--) if (children[i]) pending.push(children[i]!)
  }
}
