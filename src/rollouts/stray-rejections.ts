import { AsyncLocalStorage } from 'node:async_hooks'
import { shown } from './rollout-error.ts'

const listenersKey = Symbol.for('whetstone.stray-rejections')
type Listener = (reason: unknown) => void

/** One for the process, whichever copy of this module came first. */
const shared = globalThis as { [listenersKey]?: AsyncLocalStorage<Listener> }
shared[listenersKey] ??= new AsyncLocalStorage<Listener>()
const listeners = shared[listenersKey]

/**
 * Runs work whose rejected promises, where nobody awaits them, are told to the listener instead of ending the
 * process: also those made long after the work itself has returned.
 */
export function hearStrayRejections<R>(listener: (reason: unknown) => void, work: () => R): R {
  // Never taken off again: a call that was left behind may be refused at any later time.
  if (!process.listeners('unhandledRejection').some(isOurs))
    process.on('unhandledRejection', onStrayRejection)
  return listeners.run(listener, work)
}

/**
 * The context is that in which the promise is rejected: nearly always the work that made it. One that something made outside rejects, such as a
 * shared connection, is heard by nobody and ends the process as usual.
 */
function onStrayRejection(reason: unknown): void {
  const listener = listeners.getStore()
  if (listener) listener(reason)
  // A listener switches Node's own behaviour off.
  else if (process.listeners('unhandledRejection').every(isOurs))
    throw reason instanceof Error
      ? reason
      : new Error(`unhandled rejection: ${shown(reason)}`, { cause: reason })
}

const isOurs = ({ name }: { name: string }) => name === onStrayRejection.name
