import { createHash } from 'node:crypto'
import { DataError } from '../data-error.ts'
import { type Random, seededRandom } from '../random.ts'
import type { Task } from '../tasks/task.ts'
import {
  type Chain,
  combinations,
  levels,
  operationsOf,
  randomChain,
  type Split,
  splitOf,
  startingTypes,
} from './chain.ts'
import { chooseTests, type TestCase } from './choose-tests.ts'
import type { ValueType } from './operation.ts'
import { randomNames, renderPrompt } from './render-prompt.ts'
import { type GeneratedLanguage, type Names, renderSolution, renderValue } from './render-solution.ts'

export interface GenerateOptions {
  /** Equal seeds give equal tasks; the first tasks do not depend on `count`. */
  seed: number
  count: number
  split: Split
  /** Taken in turn. Both by default. */
  languages?: GeneratedLanguage[]
  /** Levels of difficulty, 1 to 5, taken in turn; one whose distinct tasks are used up is passed over. All by default. */
  levels?: number[]
  /** What the function's first argument may be. Everything by default. */
  inputs?: ValueType[]
  /** Tasks of the same operations in the same order with other numbers, at most. As many as there are by default. */
  perCombination?: number
  /** Whether the prompt shows the visible tests as examples. Default true. */
  examples?: boolean
}

/** Random chains tried for one task; when all of them are poor or known, the level's distinct tasks are used up. */
const attempts = 2000

/**
 * Distinct function tasks with hidden tests from a reference solution, of one split (`splitOf`).
 * Throws a DataError when every level is used up, a RangeError for an unknown level or input.
 */
export function generateTasks(options: GenerateOptions): Task[] {
  const languages = options.languages ?? ['javascript', 'python']
  const chosenLevels = options.levels ?? levels.map((_, i) => i + 1)
  const unknown = chosenLevels.find((level) => levels[level - 1] === undefined)
  if (unknown !== undefined)
    throw new RangeError(`level ${unknown} does not exist; levels are 1 to ${levels.length}`)
  const unknownInput = options.inputs?.find((input) => !startingTypes.includes(input))
  if (unknownInput !== undefined || options.inputs?.length === 0)
    throw new RangeError(
      `inputs: ${unknownInput ?? 'none'}; name some of ${[...new Set(startingTypes)].join(', ')}`,
    )
  const { perCombination = Infinity } = options
  if (!(perCombination >= 1 && (Number.isInteger(perCombination) || perCombination === Infinity)))
    throw new RangeError(`perCombination is ${perCombination}; it must be an integer from 1`)
  const known: Known = { ids: new Set(), combinations: new Map() }
  const tasks: Task[] = []
  const usedUp = new Set<string>()
  const kinds = chosenLevels.flatMap((level) => languages.map((language) => ({ level, language })))
  for (let index = 0; tasks.length < options.count; index++) {
    const { level, language } = kinds[index % kinds.length]!
    if (usedUp.has(`${language} ${level}`)) continue
    const task = newTask({ ...options, perCombination }, index, language, level, known)
    if (task !== undefined) tasks.push(task)
    else if (usedUp.add(`${language} ${level}`).size === kinds.length) {
      throw new DataError(
        `only ${tasks.length} distinct tasks found in split ${options.split}; ask for fewer or allow more levels${perCombination === Infinity ? '' : ' or tasks of a combination'}`,
      )
    }
  }
  return tasks
}

/** What the tasks so far use up. */
interface Known {
  ids: Set<string>
  /** Tasks of a language and combination. */
  combinations: Map<string, number>
}

/** The next task, which is then known. Undefined where none is found. */
function newTask(
  options: GenerateOptions & { perCombination: number },
  index: number,
  language: GeneratedLanguage,
  level: number,
  known: Known,
): Task | undefined {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const random = seededRandom('task', options.seed, options.split, index, attempt)
    const chain = randomChain(random, level, options.inputs)
    if (chain === undefined || splitOf(chain) !== options.split) continue
    const id = `generated/${options.split}/${language}/${level}/${digestOf(chain)}`
    const combination = [language, ...combinations(chain)].join(', ')
    const alike = known.combinations.get(combination) ?? 0
    const isFull = known.ids.has(id) || alike >= options.perCombination
    const tests = isFull ? undefined : chooseTests(random, chain)
    if (tests === undefined) continue
    known.ids.add(id)
    known.combinations.set(combination, alike + 1)
    const shown = options.examples === false ? [] : tests.visible
    return renderTask(random, id, chain, language, level, tests, shown)
  }
  return undefined
}

function renderTask(
  random: Random,
  id: string,
  chain: Chain,
  language: GeneratedLanguage,
  level: number,
  tests: { visible: TestCase[]; hidden: TestCase[] },
  shown: TestCase[],
): Task {
  const names = randomNames(random, chain)
  const examples = shown.map((test) => ({
    call: renderCall(test, names),
    expected: renderValue(test.expected),
  }))
  return {
    id,
    prompt: renderPrompt(random, chain, names, language, examples),
    form: 'instruction',
    language,
    entryPoint: names.entryPoint,
    visibleTests: tests.visible.map((test) => renderTest(test, names, language)),
    hiddenTests: tests.hidden.map((test) => renderTest(test, names, language)),
    difficulty: level,
    tags: [
      'generated',
      ...new Set(chain.steps.flatMap((step) => operationsOf(step).map(({ operation }) => operation.id))),
    ],
    reference: renderSolution(chain, names, language),
  }
}

function renderCall({ input, argument }: TestCase, names: Names): string {
  const values = argument === undefined ? [input] : [input, argument]
  return `${names.entryPoint}(${values.map(renderValue).join(', ')})`
}

function renderTest(test: TestCase, names: Names, language: GeneratedLanguage): string {
  const call = renderCall(test, names)
  const expected = renderValue(test.expected)
  return language === 'python' ? `assert ${call} == ${expected}` : `assert.deepEqual(${call}, ${expected})`
}

function digestOf(chain: Chain): string {
  const content = [
    chain.from,
    ...chain.steps.flatMap((step) => [
      ...(step.kind === 'branch' ? [step.condition.id, step.parameter ?? ''] : []),
      ...operationsOf(step).flatMap(({ operation, parameter }) => [operation.id, parameter ?? '']),
    ]),
  ]
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16)
}
