import { inspect } from 'node:util'

/** A value of any kind, short enough for an error. */
export function shown(value: unknown): string {
  return inspect(value, {
    depth: 0,
    breakLength: Number.POSITIVE_INFINITY,
    maxArrayLength: 4,
    maxStringLength: 60,
  })
}
