import type { Random } from '../random.ts'
import { type Chain, pickParameter } from './chain.ts'
import { evaluateChain } from './evaluate-chain.ts'
import { edgeInputs, randomInput } from './inputs.ts'
import type { Parameter, Value } from './operation.ts'

/** One call of the function and the reference's answer. */
export interface TestCase {
  input: Value
  argument: Parameter | undefined
  expected: Value
}

const visibleCount = 3
/** With fewer a wrong solution could pass by luck; with many more, prompts' worth of time goes into testing. */
const hiddenCount = { least: 14, most: 26 }

/**
 * Tests for a chain: visible ones, and hidden ones that share no input with them and include the edge cases. Undefined when
 * the chain makes a poor task: too few usable inputs, one answer right more than half of the time, a step that can be left
 * out unnoticed, or a branch with a side that is hardly taken.
 */
export function chooseTests(
  random: Random,
  chain: Chain,
): { visible: TestCase[]; hidden: TestCase[] } | undefined {
  const edge = edgeInputs(chain.from).flatMap((input) => testCase(random, chain, input) ?? [])
  const drawn = Array.from(
    { length: hiddenCount.most },
    () => testCase(random, chain, randomInput(random, chain.from)) ?? [],
  ).flat()
  const visible = differingAnswers(drawn, visibleCount)
  const shown = new Set(visible.map(callKey))
  const hidden = distinct([...edge, ...drawn].filter((test) => !shown.has(callKey(test)))).slice(
    0,
    hiddenCount.most,
  )
  if (visible.length < visibleCount || hidden.length < hiddenCount.least) return undefined
  if (largestShare(hidden) > 0.5 || !everyStepMatters(chain, hidden) || !everySideTaken(chain, hidden))
    return undefined
  return { visible, hidden }
}

function testCase(random: Random, chain: Chain, input: Value): TestCase | undefined {
  const argument = chain.argument && pickParameter(random, chain.argument)
  const evaluation = evaluateChain(chain, input, argument)
  return evaluation && { input, argument, expected: evaluation.value }
}

function callKey(test: TestCase): string {
  return JSON.stringify(test.input) + (test.argument ?? '')
}

function distinct(tests: TestCase[]): TestCase[] {
  return [...new Map(tests.map((test) => [callKey(test), test])).values()]
}

function differingAnswers(tests: TestCase[], count: number): TestCase[] {
  return [...new Map(tests.map((test) => [JSON.stringify(test.expected), test])).values()].slice(0, count)
}

function largestShare(tests: TestCase[]): number {
  const counts = new Map<string, number>()
  for (const test of tests) {
    const answer = JSON.stringify(test.expected)
    counts.set(answer, (counts.get(answer) ?? 0) + 1)
  }
  return Math.max(...counts.values()) / tests.length
}

/** Whether leaving out any one step (that keeps the type) would change at least two hidden answers. */
function everyStepMatters(chain: Chain, tests: TestCase[]): boolean {
  return chain.steps.every((step, i) => {
    const sides = step.kind === 'branch' ? [step.then, step.otherwise] : [step]
    if (sides.some(({ operation }) => operation.from !== operation.to)) return true
    const shorter = { ...chain, steps: chain.steps.toSpliced(i, 1) }
    const changed = tests.filter((test) => {
      const evaluation = evaluateChain(shorter, test.input, test.argument)
      return evaluation === undefined || JSON.stringify(evaluation.value) !== JSON.stringify(test.expected)
    })
    return changed.length >= 2
  })
}

/** Whether each side of each branch decides at least two hidden answers: swapping the other side in changes them. */
function everySideTaken(chain: Chain, tests: TestCase[]): boolean {
  return chain.steps.every((step, i) => {
    if (step.kind === 'operation') return true
    return [step.then, step.otherwise].every((side) => {
      const onesided = { ...chain, steps: chain.steps.with(i, side) }
      const changed = tests.filter((test) => {
        const evaluation = evaluateChain(onesided, test.input, test.argument)
        return evaluation === undefined || JSON.stringify(evaluation.value) !== JSON.stringify(test.expected)
      })
      return changed.length >= 2
    })
  })
}
