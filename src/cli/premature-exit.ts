/**
 * Has a process that ends while a program is still at work (its `process.exit`, an error that nobody caught) end in words and as a failure,
 * whatever code it gave; `expected` is a code to leave as it is. An end because nobody reads standard output any more is no such end. Gives
 * what takes this back.
 */
export function refusePrematureExit(what: string, expected: number): () => void {
  const onExit = (code: number) => {
    if (code === expected || process.stdout.errored) return
    process.exitCode = code || 1
    process.stderr.write(
      `whetstone: ${what} ended the process before the run was over (process.exit, or the error above); --resume goes on from its last checkpoint, where there is one\n`,
    )
  }
  process.on('exit', onExit)
  return () => process.off('exit', onExit)
}
