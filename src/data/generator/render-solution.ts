import type { Chain, OperationStep, Step } from './chain.ts'
import { fillExpression, type Parameter, type Value } from './operation.ts'

export type GeneratedLanguage = 'javascript' | 'python'

/** The names that a task's prompt, solution and tests share. */
export interface Names {
  entryPoint: string
  input: string
  argument: string
}

/** The reference solution of a chain. */
export function renderSolution(chain: Chain, names: Names, language: GeneratedLanguage): string {
  const parameters = chain.argument === undefined ? names.input : `${names.input}, ${names.argument}`
  const lines = chain.steps.flatMap((step) => stepLines(step, names, language))
  return language === 'python'
    ? `${helpers(chain, language)}def ${names.entryPoint}(${parameters}):\n    result = ${names.input}\n${indent(lines, 4)}\n    return result\n`
    : `${helpers(chain, language)}function ${names.entryPoint}(${parameters}) {\n  let result = ${names.input}\n${indent(lines, 2)}\n  return result\n}\n`
}

/** A value or parameter as a literal of both languages. */
export function renderValue(value: Value | Parameter): string {
  if (Array.isArray(value)) return `[${value.map((item) => renderValue(item)).join(', ')}]`
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, count]) => `${JSON.stringify(key)}: ${count}`)
      .join(', ')}}`
  }
  return JSON.stringify(value)
}

function stepLines(step: Step, names: Names, language: GeneratedLanguage): string[] {
  if (step.kind === 'operation') return [assignment(step, names, language)]
  const condition = fillExpression(step.condition[language], 'result', renderParameter(step.parameter, names))
  const then = assignment(step.then, names, language)
  const otherwise = assignment(step.otherwise, names, language)
  return language === 'python'
    ? [`if ${condition}:`, `    ${then}`, 'else:', `    ${otherwise}`]
    : [`if (${condition}) {`, `  ${then}`, '} else {', `  ${otherwise}`, '}']
}

function assignment(step: OperationStep, names: Names, language: GeneratedLanguage): string {
  const expression = fillExpression(
    step.operation[language],
    'result',
    renderParameter(step.parameter, names),
  )
  return `result = ${expression}`
}

function renderParameter(parameter: Parameter | undefined, names: Names): string {
  if (parameter === undefined) return ''
  return parameter === 'argument' ? names.argument : renderValue(parameter)
}

function helpers(chain: Chain, language: GeneratedLanguage): string {
  const steps = chain.steps.flatMap((step) => (step.kind === 'branch' ? [step.then, step.otherwise] : [step]))
  const definitions = new Set(steps.flatMap(({ operation }) => operation.define?.[language] ?? []))
  const gap = language === 'python' ? '\n\n\n' : '\n\n'
  return [...definitions].map((definition) => definition + gap).join('')
}

function indent(lines: string[], spaces: number): string {
  return lines.map((line) => ' '.repeat(spaces) + line).join('\n')
}
