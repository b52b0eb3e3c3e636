/** What ends the command with a message and no stack: something that the user can mend. */
export class CommandError extends Error {
  override name = 'CommandError'
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
