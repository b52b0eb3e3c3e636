import { z } from 'zod'

/** One schema a key, so that a new option cannot be forgotten. */
export type OptionSchemas<O> = { [K in keyof Required<O>]: z.ZodType }

/**
 * Checks options against their schemas; defaults are left to the one who reads them.
 *
 * @throws RangeError naming the trainer, the option, what came and, for an unknown option, the nearest known one
 */
export function checkOptions<O extends object>(trainer: string, schemas: OptionSchemas<O>, given: O): void {
  if (typeof given !== 'object' || given === null)
    throw new RangeError(
      `${trainer}: options must be an object, got ${given === null ? 'null' : typeof given}`,
    )
  const result = z.strictObject(schemas as unknown as z.ZodRawShape).safeParse(withoutUndefined(given))
  if (result.success) return
  const issue = result.error.issues[0]!
  if (issue.code === 'unrecognized_keys') {
    const within = issue.path.join('.')
    const name = issue.keys[0]!
    const known =
      within === '' ? Object.keys(schemas) : knownKeys((schemas as Record<string, z.ZodType>)[within])
    const near = nearest(name, known)
    const hint = near ? `; did you mean "${near}"?` : `; the options are: ${known.join(', ')}`
    throw new RangeError(`${trainer}: unknown option "${within === '' ? name : `${within}.${name}`}"${hint}`)
  }
  throw new RangeError(`${trainer}: ${issue.path.join('.')}: ${issue.message}`)
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

function knownKeys(schema: z.ZodType | undefined): string[] {
  const inner = schema instanceof z.ZodOptional ? schema.unwrap() : schema
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : []
}

/** The known name at an edit distance of at most a third of the name, if any. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best && best.distance <= Math.max(1, Math.floor(name.length / 3)) ? best.candidate : undefined
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]!
}
