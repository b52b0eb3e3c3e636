/**
 * A rollout that failed, a call that came too late, or a setting that cannot be used; the message says what
 * and how to mend it.
 */
export class RolloutError extends Error {
  override name = 'RolloutError'
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
