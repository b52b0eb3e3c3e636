import { RunError } from './run-error.ts'

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** Names of stages, models and results become files. */
export function checkName(what: string, name: string): void {
  if (!NAME.test(name))
    throw new RunError(
      `the ${what} "${name}" cannot be the name of a file: use letters, digits, ".", "_" and "-", at most 100`,
    )
}
