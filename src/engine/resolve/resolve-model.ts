import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { cacheDirectory } from './cache-directory.ts'
import { parseHubName, resolveHubModel } from './hub.ts'
import { isModelFolder, modelsInside, runAround } from './models-inside.ts'
import type { OnProgress } from './progress.ts'
import { ResolveError } from './resolve-error.ts'
import { shortNames } from './short-names.ts'

export interface ResolveOptions {
  onProgress?: OnProgress
  /** Ask the hub for changes even where the cache has the model. Default false. */
  refresh?: boolean
  signal?: AbortSignal
  /** Read `WHETSTONE_CACHE`, `HF_ENDPOINT` and `HF_TOKEN` here. Default `process.env`. */
  environment?: NodeJS.ProcessEnv
}

export interface ResolvedModel {
  /** A whole model, or a folder with an adapter alone. */
  kind: 'model' | 'adapter'
  path: string
  /** What finds the same model from any folder. */
  name: string
}

/**
 * Turns a model's name into a local path: a checkpoint or adapter folder, a `.gguf` file, `hf:owner/name[@revision][/file.gguf]`, or a
 * short name. What is not at hand is downloaded into the cache. Errors: `ResolveError` with what was wrong and how to mend it.
 */
export async function resolveModel(name: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
  const { onProgress = () => {}, refresh = false, environment = process.env, signal } = options
  const fetching = {
    cache: cacheDirectory(environment),
    onProgress,
    refresh,
    environment,
    ...(signal && { signal }),
  }
  if (name.startsWith('hf:'))
    return { kind: 'model', path: await resolveHubModel(parseHubName(name.slice(3)), fetching), name }
  const short = Object.hasOwn(shortNames, name) ? shortNames[name] : undefined
  if (short) return { kind: 'model', ...(await short(fetching)) }
  return localModel(name)
}

async function localModel(name: string): Promise<ResolvedModel> {
  const path = resolve(name)
  const found = name === '' ? undefined : await stat(path).catch(() => undefined)
  if (!found)
    throw new ResolveError(
      `there is no model ${JSON.stringify(name)}: it is neither a folder, nor a .gguf file, nor hf:owner/name, nor one of ${Object.keys(shortNames).join(', ')}`,
    )
  const run = await runAround(path)
  const runsModels = run && `its models, where it has any yet, are the folders in ${join(run, 'models')}`
  if (found.isDirectory()) {
    const has = (file: string) => stat(join(path, file)).catch(() => undefined)
    if (run === path) throw new ResolveError(`${path} is a training run, not a checkpoint; ${runsModels}`)
    if (await has('config.json')) return { kind: 'model', path, name: path }
    if (await has('adapter_config.json')) return { kind: 'adapter', path, name: path }
    const models = await modelsInside(path)
    if (run && models.length === 0)
      throw new ResolveError(`${path} is a part of the training run ${run}, not a model; ${runsModels}`)
    throw new ResolveError(
      `${path} is not a checkpoint: it has no config.json (nor is it an adapter, with an adapter_config.json)${hint(path, models)}`,
    )
  }
  if (found.isFile() && path.endsWith('.gguf')) return { kind: 'model', path, name: path }
  if (await isModelFolder(dirname(path)))
    throw new ResolveError(`${path} is one file of a model; give its folder, ${dirname(path)}`)
  throw new ResolveError(`${path} is not a model: give a checkpoint folder or a .gguf file`)
}

/** Says which models a folder that is none holds, if it does. */
function hint(folder: string, names: readonly string[]): string {
  const [first] = names
  if (first === undefined) return ''
  const more = names.length > 5 ? ` and ${names.length - 5} more` : ''
  return `. There are models in it: ${names.slice(0, 5).join(', ')}${more}; give one, as ${join(folder, first)}`
}
