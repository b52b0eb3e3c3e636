import { errorText } from './error-text.ts'

/** The command's own end, which is not that of the program it runs. */
let isExpected = false

/** Clears the screen of the program at work, where one is. */
let clearScreen = () => {}

/** Ends the process as a failure in words, on a line of their own also where a bar of progress is on the last one. */
export function failInWords(words: string): void {
  clearScreen()
  process.stderr.write(`whetstone: ${words}\n`, () => exitAsExpected(1))
}

/** Ends the process; what `refusePrematureExit` watches over is told of no other reason. */
export function exitAsExpected(code: number): never {
  isExpected = true
  process.exit(code)
}

/**
 * Has a process that ends while a program is still at work (its `process.exit`, an error that nobody caught) end in words and as a failure,
 * whatever code it gave. `expected` is a code to leave as it is, `wordsOf` says where an error came from, and `beforeWords` clears the
 * screen, and does nothing where that is clear: of one end it may be called twice. Gives what takes this back.
 */
export function refusePrematureExit(
  what: string,
  options: { expected: number; wordsOf(error: unknown): unknown; beforeWords(): void },
): () => void {
  let uncaught: string | undefined
  const onError = (error: unknown) => {
    const worded = options.wordsOf(error)
    // Of one that came through no line of the program nothing but the stack tells the place.
    uncaught = worded === error ? String((error as Error).stack) : errorText(worded)
    process.exit(1)
  }
  const onExit = (code: number) => {
    if (code === options.expected) return
    process.exitCode = code || 1
    options.beforeWords()
    // A failure of the command's own has been told.
    const told = isExpected && code !== 0
    process.stderr.write(told ? `${ADVICE}\n` : `whetstone: ${reason(what, uncaught)}\n${ADVICE}\n`)
  }
  const clearBefore = clearScreen
  clearScreen = options.beforeWords
  process.on('uncaughtException', onError).on('exit', onExit)
  return () => {
    clearScreen = clearBefore
    process.off('uncaughtException', onError).off('exit', onExit)
  }
}

const ADVICE = '--resume goes on from the last checkpoint, where there is one'

function reason(what: string, uncaught: string | undefined): string {
  if (uncaught !== undefined)
    return `an error that nobody caught ended ${what} before the run was over: ${uncaught}`
  return isExpected
    ? 'standard output was closed before the run was over'
    : `${what} ended the process before the run was over (process.exit)`
}
