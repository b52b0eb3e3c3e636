import { z } from 'zod'
import type { Task } from './task.ts'

/** A row of mbpp.jsonl (`text`, `test_setup_code`) or of sanitized-mbpp (`prompt`, `test_imports`). */
export const mbppRowSchema = z
  .object({
    task_id: z.union([z.int(), z.string().min(1)]),
    text: z.string().min(1).optional(),
    prompt: z.string().min(1).optional(),
    code: z.string().min(1),
    test_list: z.array(z.string().min(1)).min(1),
    test_setup_code: z.string().default(''),
    test_imports: z.array(z.string()).default([]),
    challenge_test_list: z.array(z.string()).default([]),
  })
  .refine((row) => row.text !== undefined || row.prompt !== undefined, 'needs "text" or "prompt"')
  .refine((row) => mbppEntryPoint(row.code, row.test_list) !== undefined, {
    message: 'no test calls a function that "code" defines',
    path: ['test_list'],
  })

/**
 * The task of a row. The benchmark shows its tests in the prompt and judges by the same tests (and the challenge tests
 * where there are any); so do we, to stay comparable with published figures.
 */
export function mbppTask(row: z.output<typeof mbppRowSchema>): Task {
  const description = row.text ?? row.prompt!
  return {
    id: `MBPP/${row.task_id}`,
    prompt: `${description.trim()}\nYour code should pass these tests:\n${row.test_list.join('\n')}`,
    form: 'instruction',
    language: 'python',
    entryPoint: mbppEntryPoint(row.code, row.test_list)!,
    visibleTests: row.test_list,
    hiddenTests: [...row.test_list, ...row.challenge_test_list],
    helpers: [row.test_setup_code, ...row.test_imports].filter((line) => line !== '').join('\n'),
    tags: ['mbpp'],
    reference: row.code,
  }
}

/** The first function called in the tests that the code defines at its top level. */
function mbppEntryPoint(code: string, tests: string[]): string | undefined {
  const defined = new Set(
    Array.from(
      code.matchAll(/^(?:async\s+)?def\s+(\w+)|^class\s+(\w+)|^(\w+)\s*=/gm),
      (match) => match[1] ?? match[2] ?? match[3],
    ),
  )
  for (const test of tests) {
    for (const call of test.matchAll(/(\w+)\s*\(/g)) if (defined.has(call[1])) return call[1]
  }
  return undefined
}
