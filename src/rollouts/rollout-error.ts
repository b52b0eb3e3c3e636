import { inspect } from 'node:util'

/**
 * A rollout that failed, a call that came too late, or a setting that cannot be used; the message says what
 * and how to mend it.
 */
export class RolloutError extends Error {
  override name = 'RolloutError'
}

/** Of whatever was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message
  return typeof error === 'string' ? error : shown(error)
}

/** Longer values are cut: what matters of a model given in another's place is that it is one. */
const SHOWN = 200

/** A value of any origin in one short line, also where `String` throws. */
export function shown(value: unknown): string {
  const text = inspect(value, { depth: 1, maxArrayLength: 5, maxStringLength: 100, breakLength: Infinity })
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
}
