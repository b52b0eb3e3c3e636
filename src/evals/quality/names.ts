import type { Node } from 'web-tree-sitter'
import type { Language } from '../../sandbox/types.ts'
import { walk } from './syntax.ts'

type NameKind = 'class' | 'function' | 'variable' | 'loop'

/** A name where it is introduced. */
export interface IntroducedName {
  node: Node
  kind: NameKind
}

const snake = /^_*[a-z][a-z0-9]*(?:_[a-z0-9]+)*_*$/
const camel = /^[_$]*[a-z][a-zA-Z0-9]*[_$]*$/
const capitalised = /^_*[A-Z][a-zA-Z0-9]*$/
const constant = /^_*[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/

/** Whether the name follows its language's convention: PEP 8, or camelCase and PascalCase. `_` always does. */
export function isConventional(name: string, kind: NameKind, language: Language): boolean {
  if (/^_+$/.test(name)) return true
  if (kind === 'class') return capitalised.test(name)
  const ordinary = language === 'python' ? snake : camel
  return ordinary.test(name) || (kind === 'variable' && constant.test(name))
}

/** Every place in the tree where a function, class, parameter or variable gets its name. */
export function introducedNames(root: Node, language: Language): IntroducedName[] {
  const introduce = language === 'python' ? pythonNames : ecmascriptNames
  return Array.from(walk(root)).flatMap(introduce)
}

function pythonNames(node: Node): IntroducedName[] {
  switch (node.type) {
    case 'function_definition':
      return [...named(node, 'function'), ...identifiersIn(node.childForFieldName('parameters'), 'variable')]
    case 'class_definition':
      return named(node, 'class')
    case 'assignment':
    case 'named_expression':
      return identifiersIn(node.childForFieldName('left') ?? node.childForFieldName('name'), 'variable')
    case 'for_statement':
    case 'for_in_clause':
      return identifiersIn(node.childForFieldName('left'), 'loop')
    default:
      return []
  }
}

function ecmascriptNames(node: Node): IntroducedName[] {
  switch (node.type) {
    case 'function_declaration':
    case 'generator_function_declaration':
    case 'function_expression':
    case 'method_definition':
      return [...named(node, 'function'), ...identifiersIn(node.childForFieldName('parameters'), 'variable')]
    case 'arrow_function': {
      const parameters = node.childForFieldName('parameters') ?? node.childForFieldName('parameter')
      return identifiersIn(parameters, 'loop')
    }
    case 'class_declaration':
      return named(node, 'class')
    case 'variable_declarator': {
      const inLoop = node.parent?.parent?.type === 'for_statement'
      return identifiersIn(node.childForFieldName('name'), inLoop ? 'loop' : 'variable')
    }
    case 'for_in_statement':
      return node.childForFieldName('kind') ? identifiersIn(node.childForFieldName('left'), 'loop') : []
    default:
      return []
  }
}

function named(node: Node, kind: NameKind): IntroducedName[] {
  const name = node.childForFieldName('name')
  const isIdentifier = name !== null && /identifier$/.test(name.type)
  return isIdentifier && name.text !== 'constructor' ? [{ node: name, kind }] : []
}

/** The names in a pattern: not what a default value or a type annotation mentions, nor `a` and `b` of `a.b = 1`. */
function identifiersIn(pattern: Node | null, kind: NameKind): IntroducedName[] {
  if (pattern === null) return []
  if (pattern.type === 'identifier' || pattern.type === 'shorthand_property_identifier_pattern')
    return [{ node: pattern, kind }]
  if (!isPattern(pattern.type)) return []
  const ignored = [
    pattern.childForFieldName('value'),
    pattern.childForFieldName('type'),
    pattern.childForFieldName('right'),
  ]
  const skipsValue = pattern.type !== 'pair_pattern'
  return pattern.namedChildren.flatMap((child) => {
    if (child === null || (skipsValue && ignored.some((other) => other?.id === child.id))) return []
    return identifiersIn(child, kind)
  })
}

function isPattern(type: string): boolean {
  return /pattern|parameter|^(?:tuple|list|pattern_list)$/.test(type)
}
