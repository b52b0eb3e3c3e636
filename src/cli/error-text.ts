import { messageOf } from './command-error.ts'

/** Errors that tell the user what to mend; any other is a defect and keeps its stack. */
const EXPECTED = new Set([
  'CommandError',
  'ResolveError',
  'HubUnreachable',
  'TextError',
  'DataError',
  'EngineError',
  'RunError',
  'OptionsError',
  'RolloutError',
  'Error',
])

/** What stderr says of an error. */
export function errorText(error: unknown): string {
  const expected = !(error instanceof Error) || EXPECTED.has(error.name)
  return expected ? messageOf(error) : String(error.stack)
}
