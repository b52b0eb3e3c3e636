/** The command's own end, which is not that of the program it runs. */
let isExpected = false

/** Ends the process; what `refusePrematureExit` watches over is told of no other reason. */
export function exitAsExpected(code: number): never {
  isExpected = true
  process.exit(code)
}

/**
 * Has a process that ends while a program is still at work (its `process.exit`, an error that nobody caught) end in words and as a failure,
 * whatever code it gave; `expected` is a code to leave as it is. Gives what takes this back.
 */
export function refusePrematureExit(what: string, expected: number): () => void {
  const onExit = (code: number) => {
    if (code === expected) return
    process.exitCode = code || 1
    const reason = isExpected
      ? 'standard output was closed before the run was over'
      : `${what} ended the process before the run was over (process.exit, or an error that nobody caught)`
    process.stderr.write(
      `whetstone: ${reason}; --resume goes on from its last checkpoint, where there is one\n`,
    )
  }
  process.on('exit', onExit)
  return () => process.off('exit', onExit)
}
