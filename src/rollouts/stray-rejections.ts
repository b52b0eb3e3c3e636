import { AsyncLocalStorage } from 'node:async_hooks'

const listeners = new AsyncLocalStorage<(reason: unknown) => void>()

/**
 * Runs work whose rejected promises, where nobody awaits them, are told to the listener instead of ending the
 * process: also those made long after the work itself has returned.
 */
export function hearStrayRejections<R>(listener: (reason: unknown) => void, work: () => R): R {
  // Never taken off again: a call that was left behind may be refused at any later time.
  if (!process.listeners('unhandledRejection').includes(onStrayRejection))
    process.on('unhandledRejection', onStrayRejection)
  return listeners.run(listener, work)
}

/** Node keeps the context in which a promise was made, so that its rejection finds the work it belongs to. */
function onStrayRejection(reason: unknown): void {
  const listener = listeners.getStore()
  if (listener) listener(reason)
  // A listener switches Node's own behaviour off. Those of other copies of this module carry the same name.
  else if (process.listeners('unhandledRejection').every(({ name }) => name === onStrayRejection.name))
    throw reason
}
