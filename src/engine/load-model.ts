import { checkText } from './check-arguments.ts'
import { createModel } from './create-model.ts'
import { EngineError } from './engine-error.ts'
import { type EngineOptions, nativeOptions } from './load-options.ts'
import type { Model } from './model.ts'
import { openAdapter } from './open-adapter.ts'
import { openModel } from './open-model.ts'
import { baseName, type ResolveOptions, resolveModel } from './resolve/index.ts'
import { shown } from './shown.ts'

export interface LoadOptions extends EngineOptions, ResolveOptions {
  /** The model below an adapter, by any name that `loadModel` takes. Default: what the adapter's folder names. */
  base?: string
}

/**
 * Opens a model by name: a checkpoint folder, a `.gguf` file, `hf:owner/name`, a short name such as `smollm2-135m`, or a folder with a
 * PEFT adapter, which opens the base that the adapter was trained on with the adapter on it, frozen.
 *
 * A model with an adapter can be sampled, scored and saved again; `trainable({ full: true })` merges the adapter and trains all weights,
 * a second adapter is refused. To go on training the adapter, take `trainable({ lora })` of its base, with the rank, alpha and modules
 * that it has, and call `loadAdapter(folder)`.
 *
 * Errors say which file and field is wrong.
 */
export async function loadModel(name: string, options: LoadOptions = {}): Promise<Model> {
  const settings = nativeOptions('loadModel', options, [
    'base',
    'onProgress',
    'refresh',
    'signal',
    'environment',
  ])
  checkText('loadModel: the name', name)
  const { base, onProgress, signal } = options
  if (base !== undefined) checkText('loadModel: base', base)
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw new EngineError(`loadModel: onProgress is ${shown(onProgress)}; it must be a function`)
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new EngineError(`loadModel: signal is ${shown(signal)}; it must be an AbortSignal`)
  signal?.throwIfAborted()
  const found = await resolveModel(name, options)
  if (found.kind === 'adapter') return openAdapter(found.path, settings, options)
  if (base !== undefined)
    throw new EngineError(
      `${found.path} is a whole model, not an adapter's folder, so it cannot have the base ${shown(base)}; leave the base out`,
    )
  const { native, tokenizer } = await openModel(found.path, settings)
  return createModel(native, tokenizer, settings.precision, baseName(found.name))
}
