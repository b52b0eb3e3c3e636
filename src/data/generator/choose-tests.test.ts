import { expect, test } from 'vitest'
import { seededRandom } from '../random.ts'
import type { BranchStep, Chain, OperationStep } from './chain.ts'
import { chooseTests } from './choose-tests.ts'
import type { Parameter } from './operation.ts'
import { conditions } from './operations/conditions.ts'
import { operations } from './operations/index.ts'

function step(id: string, parameter?: Parameter): OperationStep {
  const operation = operations.find((known) => known.id === id)
  if (operation === undefined) throw new Error(`no operation ${id}`)
  return { kind: 'operation', operation, parameter }
}

function branch(id: string, parameter: Parameter, then: OperationStep, otherwise: OperationStep): BranchStep {
  const condition = conditions.find((known) => known.id === id)
  if (condition === undefined) throw new Error(`no condition ${id}`)
  return { kind: 'branch', condition, parameter, then, otherwise }
}

const choose = (chain: Chain) => chooseTests(seededRandom('choose'), chain)
const integers = (...steps: Chain['steps']): Chain => ({ from: 'integers', steps })

test('a sound chain gets three visible tests with different answers and hidden ones with the edge cases', () => {
  const tests = choose(integers(step('square'), step('sum')))
  expect(new Set(tests?.visible.map(({ expected }) => expected)).size).toBe(3)
  expect(tests?.hidden.map(({ input }) => input)).toEqual(expect.arrayContaining([[], [0], [-7]]))
  for (const { input, expected } of tests?.hidden ?? []) {
    expect(expected).toBe((input as number[]).reduce((sum, x) => sum + x * x, 0))
  }
})
test('a chain with a step that changes nothing is no task', () => {
  expect(choose(integers(step('square'), step('absolute'), step('sum')))).toBeUndefined()
  expect(choose(integers(step('reverse'), step('sum')))).toBeUndefined()
})
test('a chain whose answer is mostly the same is no task', () => {
  expect(choose(integers(step('keep-multiples', 7), step('keep-greater', 12), step('count')))).toBeUndefined()
})
test('a branch whose sides give the same, or of which one is never taken, is no task', () => {
  expect(choose(integers(branch('sum-above', 5, step('square'), step('negate')), step('sum')))).toBeDefined()
  expect(
    choose(integers(branch('sum-above', 5, step('ascending'), step('descending')), step('sum'))),
  ).toBeUndefined()
  expect(
    choose(integers(step('square'), branch('has-negative', 0, step('negate'), step('running-sum')))),
  ).toBeUndefined()
})
test('inputs on which a step would lose digits or take too long are left out', () => {
  const tests = choose({ from: 'integer', steps: [step('divisors')] })
  const large = choose({
    from: 'integer',
    steps: [step('integer-square'), step('integer-square'), step('divisors')],
  })
  expect(tests?.hidden.length).toBeGreaterThanOrEqual(14)
  for (const { input } of large?.hidden ?? []) expect((input as number) ** 4).toBeLessThanOrEqual(20_000)
})
