import { saysAll } from '../runs/index.ts'
import { messageOf } from './command-error.ts'

/** What stderr says of an error: the message, with the stack where that alone does not say what to mend. */
export function errorText(error: unknown): string {
  const expected = !(error instanceof Error) || saysAll(error.name)
  return expected ? messageOf(error) : String(error.stack)
}
