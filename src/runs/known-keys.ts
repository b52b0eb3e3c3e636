import type { z } from 'zod'
import { nearestName } from '../trainers/nearest-name.ts'
import { OptionsError } from './run-error.ts'

/** Refuses keys that an object's schema does not have, at any depth, with the nearest one that it has. */
export function refuseUnknownKeys(schema: z.ZodType, value: unknown, what: string, path = ''): void {
  const shape = shapeOf(schema)
  if (!shape || typeof value !== 'object' || value === null || Array.isArray(value)) return
  for (const [key, part] of Object.entries(value)) {
    const known = Object.hasOwn(shape, key) ? shape[key] : undefined
    const full = path + key
    if (known) {
      refuseUnknownKeys(known, part, what, `${full}.`)
      continue
    }
    const names = Object.keys(shape)
    const near = nearestName(key, names)
    const hint = near ? `did you mean ${path}${near}?` : `known are ${names.sort().join(', ') || 'none'}`
    throw new OptionsError(`${what}: unknown key ${full}; ${hint}`)
  }
}

/** The keys of an object schema behind defaults and the like; undefined for any other schema, and for one that takes any key. */
function shapeOf(schema: z.ZodType): Record<string, z.ZodType> | undefined {
  const { def } = schema as unknown as {
    def: { type: string; innerType?: z.ZodType; shape?: Record<string, z.ZodType>; catchall?: z.ZodType }
  }
  if (def.innerType) return shapeOf(def.innerType)
  if (def.type !== 'object' || (def.catchall && def.catchall.def.type !== 'never')) return undefined
  return def.shape
}
