import { z } from 'zod'
import { describeIssue } from '../rollouts/index.ts'
import { nearestName } from './nearest-name.ts'

/** One schema a key, so that a new option cannot be forgotten. */
export type OptionSchemas<O> = { [K in keyof Required<O>]: z.ZodType }

/**
 * Checks options against their schemas; defaults are left to the one who reads them.
 *
 * @throws RangeError naming the trainer, the option, what is allowed, what came and, for an unknown option, the nearest known one
 */
export function checkOptions<O extends object>(trainer: string, schemas: OptionSchemas<O>, given: O): void {
  if (typeof given !== 'object' || given === null)
    throw new RangeError(
      `${trainer}: options must be an object, got ${given === null ? 'null' : typeof given}`,
    )
  const result = z.strictObject(schemas as unknown as z.ZodRawShape).safeParse(withoutUndefined(given))
  if (result.success) return
  // A misspelt option is also one that is missing; its name says more.
  const issue =
    result.error.issues.find(({ code }) => code === 'unrecognized_keys') ?? result.error.issues[0]!
  if (issue.code === 'unrecognized_keys') {
    const within = issue.path.join('.')
    const name = issue.keys[0]!
    const known =
      within === '' ? Object.keys(schemas) : knownKeys((schemas as Record<string, z.ZodType>)[within])
    const near = nearestName(name, known)
    const hint = near ? `; did you mean "${near}"?` : `; the options are: ${known.join(', ')}`
    throw new RangeError(`${trainer}: unknown option "${within === '' ? name : `${within}.${name}`}"${hint}`)
  }
  throw new RangeError(`${trainer}: ${describeIssue(result.error, given)}`)
}

/** Anything that has a method of this name: a model, a run. Its own code refuses what it cannot use. */
export function having<T>(method: string, what: string): z.ZodType<T> {
  return z.custom<T>(
    (value) => typeof (value as Record<string, unknown> | null)?.[method] === 'function',
    `must be ${what}`,
  )
}

export function aFunction(): z.ZodType {
  return z.custom((value) => typeof value === 'function', 'must be a function')
}

function withoutUndefined(given: object): object {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

function knownKeys(schema: unknown): string[] {
  if (schema instanceof z.ZodOptional) return knownKeys(schema.unwrap())
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(knownKeys)
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}
