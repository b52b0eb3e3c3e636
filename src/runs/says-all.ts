/** Errors that tell the user what to mend; any other is a defect. */
const MENDABLE = new Set([
  'Error',
  'CommandError',
  'DataError',
  'EngineError',
  'HubUnreachable',
  'OptionsError',
  'ResolveError',
  'RolloutError',
  'RunError',
  'TextError',
])

/** Whether the message of an error of this name says all that there is to know, without the name and the stack. */
export function saysAll(name: string): boolean {
  return MENDABLE.has(name)
}
