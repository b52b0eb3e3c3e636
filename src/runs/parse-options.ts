import { z } from 'zod'
import { describeIssue } from '../rollouts/index.ts'
import type { RunDefinition } from './define-run.ts'
import { refuseUnknownKeys } from './known-keys.ts'
import { OptionsError, RunError } from './run-error.ts'

/** The options of a run that is resumed, and the config.json that they are from. */
export interface EarlierOptions {
  options: unknown
  file: string
}

/**
 * The options of a run: those of the run that is resumed, with `key=value` settings over them. A key may be a path
 * (`model.layers=4`); a value is JSON, and text where it is none or where the option is a text.
 */
export function parseOptions(
  definition: RunDefinition,
  settings: readonly string[],
  earlier?: EarlierOptions,
): Record<string, unknown> {
  const schema = z.strictObject(definition.options ?? {})
  if (earlier) refuseMisfit(schema, earlier)
  const given = structuredClone(earlier?.options ?? {}) as Record<string, unknown>
  const texts: { path: string[]; text: string }[] = []
  for (const setting of settings) {
    const cut = setting.indexOf('=')
    if (cut < 1) throw new OptionsError(`--set "${setting}" sets nothing; write key=value`)
    const path = setting.slice(0, cut).split('.')
    const text = setting.slice(cut + 1)
    texts.push({ path, text })
    put(given, path, jsonOrText(text))
  }
  refuseUnknownKeys(schema, given, 'options')
  let parsed = schema.safeParse(given)
  for (const issue of parsed.error?.issues ?? []) {
    const setting = texts.findLast(({ path }) => path.join('.') === issue.path.join('.'))
    if (setting && issue.code === 'invalid_type' && issue.expected === 'string')
      put(given, setting.path, setting.text)
  }
  parsed = schema.safeParse(given)
  if (!parsed.success) throw new OptionsError(`options: ${describeIssue(parsed.error, given)}`)
  return parsed.data
}

/** Refuses what a config.json says where the program does not take it, before settings are blamed for it. */
function refuseMisfit(schema: z.ZodType, { options, file }: EarlierOptions): void {
  const misfit = (reason: string) =>
    new RunError(
      `${file} has options that the program does not take (${reason}). Put back what was edited, in it or in the program, or begin a new run in another directory, with other options by --set`,
    )
  try {
    refuseUnknownKeys(schema, options, 'options')
  } catch (error) {
    throw misfit((error as Error).message)
  }
  const { error } = schema.safeParse(options)
  if (error) throw misfit(`options: ${describeIssue(error, options)}`)
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Own properties alone, so that a key such as __proto__ stays a key. */
function put(target: Record<string, unknown>, [key, ...rest]: string[], value: unknown): void {
  const define = (of: unknown) =>
    Object.defineProperty(target, key as string, {
      value: of,
      writable: true,
      enumerable: true,
      configurable: true,
    })
  if (rest.length === 0) {
    define(value)
    return
  }
  const before = Object.hasOwn(target, key as string) ? target[key as string] : undefined
  const inner = typeof before === 'object' && before !== null && !Array.isArray(before) ? { ...before } : {}
  define(inner)
  put(inner as Record<string, unknown>, rest, value)
}
