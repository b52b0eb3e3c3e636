const msBetweenLines = 10_000

/** Says how much of a long work is done, at most every ten seconds. */
export function sayNowAndThen(what: string, log: (text: string) => void) {
  let last = performance.now()
  return (done: number, total: number) => {
    const now = performance.now()
    if (now - last < msBetweenLines) return
    last = now
    log(`${what}, ${done} of ${total}`)
  }
}
