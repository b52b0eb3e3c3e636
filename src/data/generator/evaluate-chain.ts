import type { BranchStep, Chain, OperationStep, Step } from './chain.ts'
import type { Condition, Operation, Parameter, Value } from './operation.ts'

/** Beyond this an integer might lose digits in JavaScript's numbers in a later step (2^53 is about 9e15). */
const largestInteger = 1e12
/** Longer texts and lists make tests slow and prompts' examples unreadable. */
const longestValue = 500

/** What a chain made of an input, and which side each branch took (true: the condition held). */
export interface Evaluation {
  value: Value
  taken: boolean[]
}

/**
 * The chain's result for an input, by its operations' own JavaScript; undefined when an intermediate value is too large to
 * be exact or quick. The expressions are this package's constants and are trusted; nothing of a model's gets here.
 */
export function evaluateChain(
  chain: Chain,
  input: Value,
  argument: Parameter | undefined,
): Evaluation | undefined {
  const taken: boolean[] = []
  let value = input
  for (const step of chain.steps) {
    const chosen = chooseStep(step, value, taken)
    if (typeof value === 'number' && Math.abs(value) > (chosen.operation.largest ?? largestInteger))
      return undefined
    const parameter = chosen.parameter === 'argument' ? argument : chosen.parameter
    value = compiled(chosen.operation)(value, parameter) as Value
    if (!isSmall(value)) return undefined
  }
  return { value, taken }
}

function chooseStep(step: Step, value: Value, taken: boolean[]): OperationStep {
  if (step.kind === 'operation') return step
  const holds = compiled((step as BranchStep).condition)(value, step.parameter) as boolean
  taken.push(holds)
  return holds ? step.then : step.otherwise
}

type Compiled = (value: Value, parameter: Parameter | undefined) => unknown
const cache = new Map<Operation | Condition, Compiled>()

function compiled(operation: Operation | Condition): Compiled {
  let found = cache.get(operation)
  if (found === undefined) {
    const helpers = 'define' in operation ? (operation.define?.javascript ?? '') : ''
    found = new Function('V', 'P', `${helpers}\nreturn (${operation.javascript})`) as Compiled
    cache.set(operation, found)
  }
  return found
}

function isSmall(value: Value): boolean {
  if (typeof value === 'number') return Math.abs(value) <= largestInteger
  if (typeof value === 'string') return value.length <= longestValue
  const items: Value[] = Object.values(value)
  return items.length <= longestValue && items.every(isSmall)
}
