import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ResolveError } from './resolve-error.ts'
import { type ResolvedModel, type ResolveOptions, resolveModel } from './resolve-model.ts'
import { shortNames } from './short-names.ts'

/** The base of an adapter as its `adapter_config.json` names it. */
export interface RecordedBase {
  /** Empty where none is named. */
  name: string
  /** Of the hub, where one is given apart from the name. */
  revision?: string
}

const HUB_NAME = /^\w[\w.-]*\/\w[\w.-]*$/

/** A model's name as an adapter records it: PEFT knows a hub's models without `hf:`. */
export function baseName(name: string): string {
  const bare = name.replace(/^hf:/, '')
  return HUB_NAME.test(bare) ? bare : name
}

/**
 * Finds the base that an adapter's folder names: a short name, `hf:owner/name`, a path (a relative one from the folder), or a hub's
 * `owner/name`. Errors: no base is named; what `resolveModel` says of it.
 */
export async function resolveBase(
  folder: string,
  recorded: RecordedBase,
  options: ResolveOptions,
): Promise<ResolvedModel> {
  const field = `${join(folder, 'adapter_config.json')}: base_model_name_or_path`
  const mend =
    "name the model that it was trained on: loadModel(folder, { base: 'smollm2-135m' }), or --base smollm2-135m"
  if (recorded.name === '')
    throw new ResolveError(`${field} is empty, so the model below this adapter is not known; ${mend}`)
  try {
    return await resolveModel(await fullName(folder, recorded), options)
  } catch (error) {
    if (!(error instanceof ResolveError)) throw error
    throw new ResolveError(`${field} is ${JSON.stringify(recorded.name)}: ${error.message}. Or ${mend}`, {
      cause: error,
    })
  }
}

/** The recorded name as `resolveModel` takes it. */
async function fullName(folder: string, { name, revision }: RecordedBase): Promise<string> {
  const pinned = revision === undefined || name.includes('@') ? name : `${name}@${revision}`
  if (name.startsWith('hf:')) return pinned
  if (Object.hasOwn(shortNames, name)) return name
  const path = resolve(folder, name)
  if (!HUB_NAME.test(name) || (await stat(path).catch(() => undefined))) return path
  return `hf:${pinned}`
}
