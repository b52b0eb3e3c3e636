import { isDiskFull } from '../files/index.ts'

/** Something about a run that the user can mend. */
export class RunError extends Error {
  override name = 'RunError'
}

/** A file of a run is not what the run wrote, or is gone: no line of a program is at fault. */
export class DamagedRun extends RunError {}

/** Something was to be recorded of a run that had ended: a program that was left behind at the run's end or first error. */
export class RunOver extends RunError {
  constructor(directory: string) {
    super(`the run in ${directory} is over, and records nothing any more`)
  }
}

/** Options that a program does not have, or not with these values. */
export class OptionsError extends RunError {
  override name = 'OptionsError'
}

/** The run was asked to stop; its state is in a checkpoint. */
export class RunInterrupted extends Error {
  override name = 'RunInterrupted'
  /** The result that was being computed: nothing of it is kept. */
  readonly unfinished: string | undefined
  constructor(directory: string, unfinished?: string) {
    const anew = unfinished === undefined ? '' : `, where the result ${unfinished} begins anew`
    super(`the run in ${directory} was stopped; resume goes on with it${anew}`)
    this.unfinished = unfinished
  }
}

/** By its name: a program may have the class from another copy of this package. */
export function isInterruption(error: unknown): error is RunInterrupted {
  return (error as Error | undefined)?.name === 'RunInterrupted'
}

/** Runs a write and words its failure: what was not written, what is still good, what to do. */
export async function writing<T>(what: string, stillGood: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (error instanceof RunError || isInterruption(error)) throw error
    const reason = isDiskFull(error)
      ? 'the disk is full. Free some space and resume the run (--resume)'
      : (error as Error).message
    throw new RunError(`${what} was not written: ${reason}. ${stillGood}`, { cause: error })
  }
}
