import { shown } from '../engine/shown.ts'

/** @throws RangeError saying whose argument is no function, and what came in its place */
export function checkFunction(what: string, value: unknown, allowed = 'a function'): void {
  if (typeof value !== 'function') throw new RangeError(`${what} must be ${allowed}, got ${shown(value)}`)
}
