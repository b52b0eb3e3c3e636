/** A model that cannot be found or fetched; the message says why and how to mend it. */
export class ResolveError extends Error {
  override name = 'ResolveError'
}

/** The message of an error with those of its causes, since `fetch failed` alone says nothing. */
export function fullMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${fullMessage(error.cause)}`
}
