import { RunError } from './run-error.ts'

/**
 * What a promise of the user's program comes to. Errors: its own; where nothing is under way any more that could settle it, words for what
 * would otherwise be a process that ends in silence.
 */
export async function settled<T>(what: string, promise: Promise<T>): Promise<T> {
  let onIdle = () => {}
  const never = new Promise<never>((_, reject) => {
    onIdle = () =>
      reject(
        new RunError(
          `${what} awaits a promise that nobody will settle: nothing is under way any more. Look for an await whose promise is never resolved`,
        ),
      )
  })
  process.once('beforeExit', onIdle)
  try {
    return await Promise.race([promise, never])
  } finally {
    process.off('beforeExit', onIdle)
  }
}
