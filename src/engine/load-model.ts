import { stat } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { loadTokenizer, loadTokenizerFolder, missingTokenizer, type Tokenizer } from '../text/index.ts'
import { createModel } from './create-model.ts'
import { EngineError } from './engine-error.ts'
import type { Model, Precision } from './model.ts'
import { binding, type NativeLoadOptions, type NativeModel } from './native-model.ts'
import { type ResolveOptions, resolveModel } from './resolve/index.ts'

const GIB = 2 ** 30

export interface LoadOptions extends ResolveOptions {
  /** Of matrix products; sums, norms and optimiser state are f32 in both. Default 'bf16'. */
  precision?: Precision
  /** Default: the machine's cores. */
  threads?: number
  /** Most memory of keys and values in sampling, in bytes. Default: an eighth of the machine's, at most 2 GiB. */
  kvBytes?: number
  /** Most memory of a training micro-batch's activations, in bytes. Default: an eighth of the machine's, at most 1 GiB. */
  activationBytes?: number
}

function nativeOptions(options: LoadOptions): NativeLoadOptions {
  const eighth = Math.floor(totalmem() / 8)
  const {
    precision = 'bf16',
    threads = availableParallelism(),
    kvBytes = Math.min(eighth, 2 * GIB),
    activationBytes = Math.min(eighth, GIB),
  } = options
  const whole = { threads, kvBytes, activationBytes }
  for (const [name, value] of Object.entries(whole))
    if (!Number.isInteger(value) || value < 1)
      throw new EngineError(`${name} is ${value}; it must be an integer from 1`)
  if (threads > 1024) throw new EngineError(`threads is ${threads}; it must be at most 1024`)
  return { precision, ...whole }
}

/**
 * Opens a model by name: a checkpoint folder, a `.gguf` file, `hf:owner/name`, or a short name such as `smollm2-135m`.
 * Errors say which file and field is wrong.
 */
export async function loadModel(name: string, options: LoadOptions = {}): Promise<Model> {
  const settings = nativeOptions(options)
  const { path } = await resolveModel(name, options)
  const native = await binding.open(path, settings)
  return createModel(native, await tokenizerOf(path, native), settings.precision as Precision)
}

/** Makes a new model of a `config.json`'s fields, its weights drawn from the seed. */
export async function newModel(
  config: Record<string, unknown>,
  tokenizer: Tokenizer,
  options: Pick<LoadOptions, 'precision' | 'threads' | 'kvBytes' | 'activationBytes'> & {
    seed?: number
  } = {},
): Promise<Model> {
  const settings = nativeOptions(options)
  const native = await binding.create(JSON.stringify(config), options.seed ?? 0, settings)
  return createModel(native, tokenizer, settings.precision as Precision)
}

async function tokenizerOf(path: string, native: NativeModel): Promise<Tokenizer> {
  if ((await stat(path)).isDirectory()) {
    const found = await stat(join(path, 'tokenizer.json')).catch(() => undefined)
    return found ? loadTokenizerFolder(path) : missingTokenizer(path)
  }
  if (native.tokenizerJson === undefined) throw new EngineError(`${path} has no tokenizer`)
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
