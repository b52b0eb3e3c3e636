import { createHash } from 'node:crypto'
import type { Random } from '../random.ts'
import type { Condition, Operation, Parameter, ParameterChoice, ValueType } from './operation.ts'
import { conditions } from './operations/conditions.ts'
import { operations } from './operations/index.ts'

/** `argument`: the parameter is the function's second argument instead of a constant. */
export interface OperationStep {
  kind: 'operation'
  operation: Operation
  parameter: Parameter | 'argument' | undefined
}

export interface BranchStep {
  kind: 'branch'
  condition: Condition
  parameter: Parameter | undefined
  then: OperationStep
  otherwise: OperationStep
}

export type Step = OperationStep | BranchStep

/** What a task asks for: steps that are done one after the other, each on the result of the one before. */
export interface Chain {
  from: ValueType
  steps: Step[]
  /** What the second argument can be; absent when the function takes one argument. */
  argument?: ParameterChoice
}

export type Split = 'train' | 'validation' | 'held-out'

/** How a level of difficulty is built. Level 1 is one step; a branch and a second argument make a task harder. */
export const levels: { steps: number; branch: boolean; argument: boolean }[] = [
  { steps: 1, branch: false, argument: false },
  { steps: 2, branch: false, argument: false },
  { steps: 3, branch: false, argument: true },
  { steps: 3, branch: true, argument: true },
  { steps: 5, branch: true, argument: true },
]

/** Text and lists have the most operations, so they come most often. */
export const startingTypes: readonly ValueType[] = [
  'integers',
  'integers',
  'integers',
  'text',
  'text',
  'words',
  'words',
  'integer',
  'grid',
]

/** A random chain of the level (from 1), or undefined when the random walk found no step to go on with. */
export function randomChain(
  random: Random,
  level: number,
  inputs: readonly ValueType[] = startingTypes,
): Chain | undefined {
  const shape = levels[level - 1]!
  const from = random.pick(inputs)
  const branchAt = shape.branch ? random.integer(0, shape.steps - 1) : -1
  const steps: Step[] = []
  let type = from
  for (let i = 0; i < shape.steps; i++) {
    const isLast = i === shape.steps - 1
    const step = i === branchAt ? randomBranch(random, type) : randomStep(random, type, isLast)
    if (step === undefined) return undefined
    steps.push(step)
    type = step.kind === 'branch' ? step.then.operation.to : step.operation.to
  }
  return shape.argument && random.next() < 0.5 ? withArgument(random, { from, steps }) : { from, steps }
}

/**
 * The combinations of operations in a chain: every ordered pair of neighbours, the two sides of a branch, or the single
 * operation. They do not depend on parameters, wording, language or seed.
 */
export function combinations(chain: Chain): string[] {
  const alternatives = chain.steps.map((step) => operationsOf(step).map(({ operation }) => operation.id))
  const pairs = alternatives
    .slice(1)
    .flatMap((ids, i) => ids.flatMap((id) => alternatives[i]!.map((before) => `${before} > ${id}`)))
  const sides = alternatives.filter((ids) => ids.length > 1).map((ids) => ids.toSorted().join(' | '))
  const found = [...pairs, ...sides]
  return found.length > 0 ? found : [`only ${alternatives[0]![0]}`]
}

/**
 * The split of a chain. A tenth of all combinations is reserved for held-out and a tenth for validation, by their hash. A
 * chain with a held-out combination is held out, else one with a validation combination is for validation; so training
 * never sees, in any task of any seed and language, the combination that makes a held-out task one.
 */
export function splitOf(chain: Chain): Split {
  const reserved = combinations(chain).map(
    (combination) => createHash('sha256').update(combination).digest().readUInt32LE() % 10,
  )
  if (reserved.includes(0)) return 'held-out'
  return reserved.includes(1) ? 'validation' : 'train'
}

/** The operations of a step: one, or the two sides of a branch. */
export function operationsOf(step: Step): OperationStep[] {
  return step.kind === 'branch' ? [step.then, step.otherwise] : [step]
}

/** The type of a chain's result. */
export function resultType(chain: Chain): ValueType {
  const last = chain.steps.at(-1)
  return last === undefined ? chain.from : operationsOf(last)[0]!.operation.to
}

/** A value of the choice. */
export function pickParameter(random: Random, choice: ParameterChoice): Parameter {
  return 'choices' in choice ? random.pick(choice.choices) : random.integer(choice.low, choice.high)
}

function randomStep(
  random: Random,
  type: ValueType,
  isLast: boolean,
  to?: ValueType,
): OperationStep | undefined {
  const possible = operations.filter(
    (operation) =>
      operation.from === type &&
      (isLast || operation.to !== 'counts') &&
      (to === undefined || operation.to === to),
  )
  if (possible.length === 0) return undefined
  const operation = random.pick(possible)
  return {
    kind: 'operation',
    operation,
    parameter: operation.parameter && pickParameter(random, operation.parameter),
  }
}

function randomBranch(random: Random, type: ValueType): BranchStep | undefined {
  const possible = conditions.filter((condition) => condition.from === type)
  const then = randomStep(random, type, false)
  const otherwise = then && randomStep(random, type, false, then.operation.to)
  if (possible.length === 0 || !then || !otherwise || then.operation === otherwise.operation) return undefined
  const condition = random.pick(possible)
  return {
    kind: 'branch',
    condition,
    parameter: condition.parameter && pickParameter(random, condition.parameter),
    then,
    otherwise,
  }
}

/** The chain with the parameter of one of its plain steps made the second argument, where there is such a step. */
function withArgument(random: Random, chain: Chain): Chain {
  const places = chain.steps.flatMap((step, i) =>
    step.kind === 'operation' && step.operation.parameter ? [i] : [],
  )
  if (places.length === 0) return chain
  const place = random.pick(places)
  const chosen = chain.steps[place] as OperationStep
  return {
    from: chain.from,
    steps: chain.steps.map((step, i) => (i === place ? { ...chosen, parameter: 'argument' } : step)),
    argument: chosen.operation.parameter!,
  }
}
