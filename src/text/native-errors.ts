import { messageOf, TextError } from './text-error.ts'

/** What the native tokenizer refuses, as a `TextError`. */
export function told<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new TextError(messageOf(error), { cause: error })
  }
}
