import { expect, it } from 'vitest'
import { createFruitlessTasks } from './fruitless-tasks.ts'

const failed = '8 rollouts failed; the first: no network'
const after = (step: number, task: string, rows = 0) => ({ step, tasks: [task], rows })

it('one bad task that comes several times running does not end a stage', () => {
  const fruitless = createFruitlessTasks('grpo', 2)
  for (const step of [0, 1, 2]) fruitless.afterStep(after(step, 'bad'), failed)
  fruitless.afterStep(after(3, 'good', 8), undefined)
  expect(fruitless.save()).toEqual([])
})

it('two different ones running end it, also where a resume lies between', () => {
  const before = createFruitlessTasks('grpo', 2)
  before.afterStep(after(0, 'first'), failed)
  const resumed = createFruitlessTasks('grpo', 2)
  resumed.load(JSON.parse(JSON.stringify(before.save())))
  expect(() => resumed.afterStep(after(1, 'second'), failed)).toThrow(
    'grpo, step 1: nothing to learn from: 8 rollouts failed; the first: no network',
  )
})

it('the only task there is ends it at once', () => {
  expect(() => createFruitlessTasks('grpo', 1).afterStep(after(0, 'only'), undefined)).toThrow(
    'no rollout called the `model`',
  )
})
