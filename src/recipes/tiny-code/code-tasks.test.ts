import { expect, it } from 'vitest'
import type { Task } from '../../data/index.ts'
import { codeTasks } from './code-tasks.ts'

it.each([1, 2, 3])(
  'the exam of seed %i asks a hundred combinations of operations, none of which is in training',
  (seed) => {
    const count = 400
    const { heldOut, ...training } = codeTasks(seed, {
      read: count,
      instructed: count,
      practised: count,
      heldOut: 100,
    })
    const combinationOf = ({ difficulty, tags }: Task) => `${difficulty} ${tags}`
    const asked = new Set(heldOut.map(combinationOf))
    expect(asked.size).toBe(100)
    for (const tasks of Object.values(training)) {
      expect(tasks).toHaveLength(count)
      expect(tasks.map(combinationOf).filter((combination) => asked.has(combination))).toEqual([])
    }
  },
)
