import { z } from 'zod'

const identifier = /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u

/**
 * A coding task: write the function `entryPoint` in `language`.
 *
 * `form` says what the prompt is: `instruction` is natural language that a message answers; `completion` is the beginning
 * of the program, which the answer continues (HumanEval). Tests are pieces of code in the task's language that throw when
 * the solution is wrong; they run in order in one namespace. The model may see `visibleTests`; `hiddenTests` decide.
 */
export const taskSchema = z.strictObject({
  id: z.string().min(1),
  prompt: z.string().min(1),
  form: z.enum(['instruction', 'completion']).default('instruction'),
  language: z.enum(['javascript', 'typescript', 'python']),
  entryPoint: z.string().regex(identifier, 'not the name of a function'),
  visibleTests: z.array(z.string()),
  hiddenTests: z.array(z.string()).min(1, 'at least one hidden test is needed, or every answer passes'),
  /** Trusted code that the tests use and the solution cannot redefine. */
  helpers: z.string().optional(),
  /** From 1, the easiest. Absent where the source does not say. */
  difficulty: z.int().min(1).optional(),
  tags: z.array(z.string()).default([]),
  /** A solution known to be right, as an answer in the task's `form`. */
  reference: z.string().optional(),
})

export type Task = z.output<typeof taskSchema>
