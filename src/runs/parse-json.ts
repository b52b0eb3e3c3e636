import type { z } from 'zod'
import { describeIssue } from '../rollouts/index.ts'
import { DamagedRun } from './run-error.ts'

/**
 * The value of JSON in a file of a run, of the form that the run writes.
 *
 * @throws DamagedRun naming the file, the line (counted from 1) and what is wrong with it
 */
export function parseJson<T>(schema: z.ZodType<T>, text: string, path: string, line?: number): T {
  const place = line === undefined ? path : `${path}:${line}`
  return parseOr(schema, text, (reason) => {
    return new DamagedRun(
      `${place} is not what the run wrote (${reason}). Bring the file back, or remove what is broken`,
    )
  })
}

/** The value of JSON of a form; where it is none, the error that `refuse` makes of the reason is thrown. */
export function parseOr<T>(schema: z.ZodType<T>, text: string, refuse: (reason: string) => Error): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw refuse((error as Error).message)
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw refuse(describeIssue(parsed.error, value))
  return parsed.data
}
