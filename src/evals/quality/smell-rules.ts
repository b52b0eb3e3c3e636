import type { Node } from 'web-tree-sitter'

/** A rule about single nodes of some types. */
export interface Rule {
  types: string[]
  test: (node: Node) => boolean
}

const builtins = new Set(
  'abs all any bin bool chr dict dir filter float format hash hex id input int iter len list map max min next object open ord pow print range repr reversed round set sorted str sum tuple type vars zip'.split(
    ' ',
  ),
)

/** Lint-level smells of Python. */
export const pythonRules: Record<string, Rule> = {
  'bare-except': { types: ['except_clause'], test: (node) => node.namedChildren[0]?.type === 'block' },
  'empty-except': {
    types: ['except_clause'],
    test: (node) => onlyStatement(node.namedChildren.at(-1) ?? null) === 'pass_statement',
  },
  'mutable-default': {
    types: ['default_parameter', 'typed_default_parameter'],
    test: (node) => ['list', 'dictionary', 'set'].includes(node.childForFieldName('value')?.type ?? ''),
  },
  'none-comparison': { types: ['comparison_operator'], test: (node) => comparesWith(node, ['none']) },
  'boolean-comparison': {
    types: ['comparison_operator'],
    test: (node) => comparesWith(node, ['true', 'false']),
  },
  'type-comparison': {
    types: ['comparison_operator'],
    test: (node) => /^type\(.*\)\s*[!=]=/.test(node.text),
  },
  'self-comparison': {
    types: ['comparison_operator'],
    test: (node) => node.namedChildCount === 2 && sameText(node.namedChildren),
  },
  'wildcard-import': { types: ['wildcard_import'], test: () => true },
  'global-statement': { types: ['global_statement'], test: () => true },
  'dynamic-code': { types: ['call'], test: (node) => calls(node, ['eval', 'exec']) },
  'debug-output': { types: ['call'], test: (node) => calls(node, ['print', 'breakpoint']) },
  'lambda-assignment': {
    types: ['assignment'],
    test: (node) => node.childForFieldName('right')?.type === 'lambda',
  },
  'shadowed-builtin': {
    types: ['assignment'],
    test: (node) => builtins.has(node.childForFieldName('left')?.text ?? ''),
  },
  'constant-condition': {
    types: ['if_statement', 'elif_clause'],
    test: (node) =>
      ['true', 'false', 'integer', 'none'].includes(node.childForFieldName('condition')?.type ?? ''),
  },
  'range-len': {
    types: ['for_statement'],
    test: (node) =>
      /^range\(len\(\w+\)\)$/.test(node.childForFieldName('right')?.text ?? '') && !assignsByIndex(node),
  },
}

/** Lint-level smells of JavaScript and TypeScript. */
export const ecmascriptRules: Record<string, Rule> = {
  'loose-equality': {
    types: ['binary_expression'],
    test: (node) =>
      ['==', '!='].includes(operatorOf(node)) && node.childForFieldName('right')?.type !== 'null',
  },
  'self-comparison': {
    types: ['binary_expression'],
    test: (node) => /^[=!]==?$|^[<>]=?$/.test(operatorOf(node)) && sameText(node.namedChildren),
  },
  'var-declaration': { types: ['variable_declaration'], test: () => true },
  'empty-catch': {
    types: ['catch_clause'],
    test: (node) => node.childForFieldName('body')?.namedChildCount === 0,
  },
  'dynamic-code': {
    types: ['call_expression', 'new_expression'],
    test: (node) => calls(node, ['eval']) || node.childForFieldName('constructor')?.text === 'Function',
  },
  'debug-output': {
    types: ['call_expression', 'debugger_statement'],
    test: (node) =>
      node.type === 'debugger_statement' ||
      /^console\.\w+$/.test(node.childForFieldName('function')?.text ?? ''),
  },
  'assignment-in-condition': {
    types: ['if_statement', 'while_statement'],
    test: (node) => node.childForFieldName('condition')?.namedChildren[0]?.type === 'assignment_expression',
  },
  'constant-condition': {
    types: ['if_statement', 'ternary_expression'],
    test: (node) =>
      /^\(?(?:true|false|null|undefined|\d+)\)?$/.test(node.childForFieldName('condition')?.text ?? ''),
  },
  'nested-ternary': {
    types: ['ternary_expression'],
    test: (node) =>
      ['consequence', 'alternative'].some(
        (side) => node.childForFieldName(side)?.type === 'ternary_expression',
      ),
  },
  'explicit-any': { types: ['predefined_type'], test: (node) => node.text === 'any' },
  'suppressed-check': {
    types: ['comment'],
    test: (node) => /@ts-(?:ignore|nocheck)|eslint-disable/.test(node.text),
  },
}

function onlyStatement(block: Node | null): string | undefined {
  return block?.namedChildCount === 1 ? block.namedChildren[0]?.type : undefined
}

function operatorOf(node: Node): string {
  return node.childForFieldName('operator')?.type ?? ''
}

function comparesWith(node: Node, types: string[]): boolean {
  const isEquality = node.children.some((child) => child?.type === '==' || child?.type === '!=')
  return isEquality && node.namedChildren.some((child) => child !== null && types.includes(child.type))
}

function calls(node: Node, names: string[]): boolean {
  return names.includes(node.childForFieldName('function')?.text ?? '')
}

function sameText(nodes: (Node | null)[]): boolean {
  return nodes.length === 2 && nodes[0]?.text === nodes[1]?.text
}

/** Whether a `for i in range(len(xs))` loop needs its index to write: `xs[i] = ...`. */
function assignsByIndex(loop: Node): boolean {
  const index = loop.childForFieldName('left')?.text ?? ''
  return loop.text.includes(`[${index}] =`) || loop.text.includes(`[${index}], `)
}
