import { describe, expect, test } from 'vitest'
import { seededRandom } from '../random.ts'
import { taskSchema } from '../tasks/task.ts'
import { combinations, randomChain, splitOf } from './chain.ts'
import { generateTasks } from './generate-tasks.ts'
import { operations } from './operations/index.ts'

const train = generateTasks({ seed: 1, count: 3000, split: 'train' })

test('thousands of tasks are distinct in id, and valid', () => {
  expect(new Set(train.map(({ id }) => id)).size).toBe(3000)
  for (const task of train.slice(0, 200)) expect(taskSchema.parse(task)).toEqual(task)
})
test('both languages and all five levels take turns', () => {
  for (const level of [1, 2, 3, 4, 5]) {
    for (const language of ['javascript', 'python']) {
      expect(
        train.filter((task) => task.difficulty === level && task.language === language).length,
      ).toBeGreaterThan(250)
    }
  }
})
test('equal seeds give equal tasks, a longer list begins with the shorter, another seed gives others', () => {
  expect(generateTasks({ seed: 1, count: 100, split: 'train' })).toEqual(train.slice(0, 100))
  const other = generateTasks({ seed: 2, count: 100, split: 'train', levels: [4, 5] })
  expect(other.filter(({ id }) => train.some((task) => task.id === id)).length).toBeLessThan(5)
})
test('no more tasks than asked for are of the same operations, and a level of few operations is used up the sooner', () => {
  const options = { seed: 1, split: 'held-out', levels: [1, 2], inputs: ['integers'] } as const
  const most = (perCombination: number | undefined) => {
    const tasks = generateTasks({
      ...options,
      levels: [...options.levels],
      inputs: [...options.inputs],
      languages: ['python'],
      count: 60,
      ...(perCombination && { perCombination }),
    })
    const counts = new Map<string, number>()
    for (const { tags } of tasks) counts.set(tags.join(), (counts.get(tags.join()) ?? 0) + 1)
    return Math.max(...counts.values())
  }
  expect(most(2)).toBe(2)
  expect(most(undefined)).toBeGreaterThan(8)
  expect(() => generateTasks({ seed: 1, count: 1, split: 'train', perCombination: 0 })).toThrow(
    'perCombination is 0',
  )
})

describe('splits', () => {
  test('no combination that is held out occurs in training, whatever the seed', () => {
    const random = seededRandom('splits')
    const seen = { train: new Set<string>(), validation: new Set<string>(), 'held-out': new Set<string>() }
    for (let i = 0; i < 20_000; i++) {
      const chain = randomChain(random, 1 + (i % 5))
      if (chain) for (const combination of combinations(chain)) seen[splitOf(chain)].add(combination)
    }
    const heldOut = generateTasks({ seed: 3, count: 300, split: 'held-out', levels: [2] })
    for (const { tags } of heldOut) expect(seen.train.has(`${tags[1]} > ${tags[2] ?? tags[1]}`)).toBe(false)
    expect(seen.train.size).toBeGreaterThan(500)
  })
  test('tasks of one split are in no other', () => {
    const ids = new Set(train.map(({ id }) => id.split('/').at(-1)))
    for (const split of ['validation', 'held-out'] as const) {
      for (const { id } of generateTasks({ seed: 1, count: 300, split }))
        expect(ids.has(id.split('/').at(-1))).toBe(false)
    }
  })
  test('every operation is met in training', () => {
    const met = new Set(train.flatMap(({ tags }) => tags))
    expect(operations.map(({ id }) => id).filter((id) => !met.has(id))).toEqual([])
  })
})

describe('prompts', () => {
  test('say the function, its parameters, and three examples that are the visible tests', () => {
    for (const { prompt, entryPoint, visibleTests, language } of train) {
      expect(prompt).toContain(`\`${entryPoint}(`)
      expect(prompt).not.toMatch(/\{p\}|undefined|\[object/)
      expect(visibleTests).toHaveLength(3)
      const examples = prompt
        .split('Examples:\n')[1]!
        .split('\n')
        .map((line) => line.split(/ (?:returns|gives|→) /))
      const shown = examples.map(([call, answer]) =>
        language === 'python' ? `assert ${call} == ${answer}` : `assert.deepEqual(${call}, ${answer})`,
      )
      expect(shown).toEqual(visibleTests)
    }
  })
  test('one meaning is worded in different ways', () => {
    const wordings = new Set(
      Array.from({ length: 20 }, (_, seed) =>
        generateTasks({ seed, count: 40, split: 'train', languages: ['python'], levels: [1] }),
      )
        .flat()
        .filter(({ tags }) => tags[1] === 'sum')
        .map(({ prompt }) => prompt.split('\n')[0]),
    )
    expect(wordings.size).toBeGreaterThan(3)
  })
})

test('hidden tests share no call with the visible ones', () => {
  for (const { visibleTests, hiddenTests } of train) {
    const calls = new Set(visibleTests.map((test) => test.split(/ == |\), /)[0]))
    for (const test of hiddenTests) expect(calls.has(test.split(/ == |\), /)[0])).toBe(false)
    expect(hiddenTests.length).toBeGreaterThanOrEqual(14)
  }
})
test('a level that does not exist is refused, and so are more tasks than there are', () => {
  expect(() => generateTasks({ seed: 1, count: 1, split: 'train', levels: [6] })).toThrow(/levels are 1 to 5/)
  expect(() => generateTasks({ seed: 1, count: 10_000, split: 'held-out', levels: [1] })).toThrow(
    /only \d+ distinct tasks found/,
  )
})

test('tasks can be asked for by what the function takes, and without examples in the prompt', () => {
  const tasks = generateTasks({
    seed: 1,
    count: 30,
    split: 'train',
    levels: [2],
    inputs: ['integers'],
    examples: false,
  })
  for (const { prompt, visibleTests } of tasks) {
    expect(prompt).toMatch(/is (a list of integers|a list of whole numbers)/)
    expect(prompt).not.toContain('Examples')
    expect(visibleTests).toHaveLength(3)
  }
  expect(() => generateTasks({ seed: 1, count: 1, split: 'train', inputs: ['counts'] })).toThrow(
    'inputs: counts; name some of integers, text, words, integer, grid',
  )
})
