import { EngineError } from './engine-error.ts'

/**
 * The addon's object or functions with errors as `EngineError`: whatever it refuses arrives as a rejection, never at the call, and can
 * be told from a defect.
 */
export function withEngineErrors<T extends object>(native: T): T {
  return new Proxy(native, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      return async (...given: unknown[]) => {
        try {
          return await value.apply(target, given)
        } catch (error) {
          throw new EngineError(error instanceof Error ? error.message : String(error), { cause: error })
        }
      }
    },
  })
}
