/** Text, a tokenizer or a chat template that cannot be used; the message says what, where, and how to mend it. */
export class TextError extends Error {
  override name = 'TextError'
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
