import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { cacheDirectory } from './cache-directory.ts'
import { parseHubName, resolveHubModel } from './hub.ts'
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

/**
 * Turns a model's name into a local path: a checkpoint folder, a `.gguf` file, `hf:owner/name[@revision][/file.gguf]`, or a short name.
 * What is not at hand is downloaded into the cache. Errors: `ResolveError` with what was wrong and how to mend it.
 */
export async function resolveModel(name: string, options: ResolveOptions = {}): Promise<{ path: string }> {
  const { onProgress = () => {}, refresh = false, environment = process.env, signal } = options
  const fetching = {
    cache: cacheDirectory(environment),
    onProgress,
    refresh,
    environment,
    ...(signal && { signal }),
  }
  if (name.startsWith('hf:')) return { path: await resolveHubModel(parseHubName(name.slice(3)), fetching) }
  const short = Object.hasOwn(shortNames, name) ? shortNames[name] : undefined
  if (short) return { path: await short(fetching) }
  return { path: await localModel(name) }
}

async function localModel(name: string): Promise<string> {
  const path = resolve(name)
  const found = name === '' ? undefined : await stat(path).catch(() => undefined)
  if (!found)
    throw new ResolveError(
      `there is no model ${JSON.stringify(name)}: it is neither a folder, nor a .gguf file, nor hf:owner/name, nor one of ${Object.keys(shortNames).join(', ')}`,
    )
  if (found.isDirectory()) {
    if (await stat(join(path, 'config.json')).catch(() => undefined)) return path
    throw new ResolveError(`${path} is not a checkpoint: it has no config.json`)
  }
  if (found.isFile() && path.endsWith('.gguf')) return path
  throw new ResolveError(`${path} is not a model: give a checkpoint folder or a .gguf file`)
}
