/** The kinds of values that generated tasks work on, and how each looks in the host. */
export interface Values {
  integer: number
  integers: number[]
  text: string
  words: string[]
  /** Rectangular, at least one row and one column. */
  grid: number[][]
  counts: Record<string, number>
}

export type ValueType = keyof Values
export type Value = Values[ValueType]

/** What an operation's parameter P can be: an integer of a range, or one of some strings. */
export type ParameterChoice = { low: number; high: number } | { choices: readonly string[] }
export type Parameter = number | string

/**
 * One step that a task can ask for. `javascript` and `python` are expressions over V (the value) and P (the parameter),
 * written independently: that both give the same answers is tested, and is what makes the hidden tests trustworthy.
 */
export interface Operation {
  /** Unique; with the operation's neighbours it decides which split a task belongs to, so it never changes. */
  id: string
  from: ValueType
  to: ValueType
  javascript: string
  python: string
  /** Helper functions that the expressions use. */
  define?: { javascript?: string; python?: string }
  parameter?: ParameterChoice
  /** Integers beyond this (in absolute value) would take too long; their inputs are not used. */
  largest?: number
  /** Imperative clauses with `{p}` for the parameter, at least two, each saying the whole rule, its edge cases included. */
  phrases: readonly [string, string, ...string[]]
}

/** A yes or no about a value, for a branch. `phrases` complete "if ...". */
export interface Condition {
  id: string
  from: ValueType
  javascript: string
  python: string
  parameter?: ParameterChoice
  phrases: readonly [string, string, ...string[]]
}

/** The expression with V and P replaced. */
export function fillExpression(expression: string, value: string, parameter: string): string {
  return expression.replace(/\b[VP]\b/g, (placeholder) => (placeholder === 'V' ? value : parameter))
}
