/** A computation written once for values that are there at once and for values that are waited for. */
export type MayWait<R> = Generator<unknown, R, unknown>

/** Within such a computation what `await` is elsewhere: `const x = yield* waited(f())`. */
export function* waited<T>(value: T | Promise<T>): MayWait<T> {
  return (yield value) as T
}

/** Runs it on values that are there. */
export function runAtOnce<R>(computation: MayWait<R>): R {
  let state = computation.next()
  while (!state.done) state = computation.next(state.value)
  return state.value
}

/** Runs it on values that are waited for. */
export async function runWaiting<R>(computation: MayWait<R>): Promise<R> {
  let state = computation.next()
  while (!state.done) state = computation.next(await state.value)
  return state.value
}
