import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { loadTokenizer, loadTokenizerFolder, missingTokenizer, type Tokenizer } from '../text/index.ts'
import { checkText } from './check-arguments.ts'
import { checkWeightsFit } from './check-memory.ts'
import { createModel } from './create-model.ts'
import { EngineError } from './engine-error.ts'
import { type EngineOptions, nativeOptions } from './load-options.ts'
import type { Model } from './model.ts'
import { binding, type NativeModel } from './native-model.ts'
import { type ResolveOptions, resolveModel } from './resolve/index.ts'
import { shown } from './shown.ts'

export interface LoadOptions extends EngineOptions, ResolveOptions {}

/**
 * Opens a model by name: a checkpoint folder, a `.gguf` file, `hf:owner/name`, or a short name such as `smollm2-135m`.
 * Errors say which file and field is wrong.
 */
export async function loadModel(name: string, options: LoadOptions = {}): Promise<Model> {
  const settings = nativeOptions('loadModel', options, ['onProgress', 'refresh', 'signal', 'environment'])
  checkText('loadModel: the name', name)
  const { onProgress, signal } = options
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw new EngineError(`loadModel: onProgress is ${shown(onProgress)}; it must be a function`)
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new EngineError(`loadModel: signal is ${shown(signal)}; it must be an AbortSignal`)
  signal?.throwIfAborted()
  const { path } = await resolveModel(name, options)
  await checkWeightsFit(path, settings.precision)
  const native = await binding.open(path, settings)
  return createModel(native, await tokenizerOf(path, native), settings.precision)
}

async function tokenizerOf(path: string, native: NativeModel): Promise<Tokenizer> {
  if ((await stat(path)).isDirectory()) {
    const found = await stat(join(path, 'tokenizer.json')).catch(() => undefined)
    return found ? loadTokenizerFolder(path) : missingTokenizer(path)
  }
  if (native.tokenizerJson === undefined) return missingTokenizer(path)
  const source = { tokenizerJson: native.tokenizerJson, chatTemplate: native.chatTemplate }
  const config = JSON.parse(native.config) as { bos_token_id?: number; eos_token_id?: number | number[] }
  const ends = [config.eos_token_id ?? []].flat()
  const bare = loadTokenizer(source)
  const text = (id: number | undefined) => (id === undefined ? undefined : bare.idToToken(id))
  return loadTokenizer({
    ...source,
    bosToken: text(config.bos_token_id),
    eosToken: text(ends[0]),
    stopTokenIds: ends,
  })
}
