import { expect, it } from 'vitest'
import { codeTasks } from './code-tasks.ts'

it.each([1, 2, 3])(
  'practice of seed %i has as many one-step tasks as two-step ones, and no id twice',
  (seed) => {
    const counts = { read: 20, instructed: 20, practised: 400, mended: 600, heldOut: 20 }
    const tasks = codeTasks(seed, counts)
    for (const part of ['practised', 'mended'] as const) {
      expect(tasks[part]).toHaveLength(counts[part])
      expect(tasks[part].filter(({ difficulty }) => difficulty === 1)).toHaveLength(counts[part] / 2)
      expect(new Set(tasks[part].map(({ id }) => id)).size).toBe(counts[part])
      expect(tasks[part].every(({ id }) => id.startsWith('generated/train/'))).toBe(true)
    }
    expect(tasks.heldOut.every(({ id }) => id.startsWith('generated/held-out/'))).toBe(true)
  },
)
