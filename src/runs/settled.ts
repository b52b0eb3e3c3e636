import { hearStrayRejections, messageOf } from '../rollouts/index.ts'
import { RunError, RunOver } from './run-error.ts'

/**
 * What the user's program comes to. Errors: its own; that of a promise of it that nobody awaits; where nothing is under way any more that
 * could settle it, words for what would otherwise be a process that ends in silence. A promise that is rejected later ends the process.
 */
export async function settled<T>(what: string, work: () => Promise<T>): Promise<T> {
  const failed = Promise.withResolvers<never>()
  const onIdle = () =>
    failed.reject(
      new RunError(
        `${what} awaits a promise that nobody will settle: nothing is under way any more. Look for an await whose promise is never resolved`,
      ),
    )
  let over = false
  const onStray = (cause: unknown) => {
    // What a program that was left behind comes to is no news; anything else ends the process, as where nobody listens.
    if (over && cause instanceof RunOver) return
    if (over) throw cause
    const words = `a promise of ${what} that nobody awaited was rejected: ${messageOf(cause)}`
    failed.reject(new RunError(words, { cause }))
  }
  process.once('beforeExit', onIdle)
  try {
    return await Promise.race([hearStrayRejections(onStray, work), failed.promise])
  } finally {
    over = true
    process.off('beforeExit', onIdle)
  }
}
