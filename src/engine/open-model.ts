import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { loadTokenizer, loadTokenizerFolder, missingTokenizer, type Tokenizer } from '../text/index.ts'
import { checkWeightsFit } from './check-memory.ts'
import type { Precision } from './model.ts'
import { binding, type NativeLoadOptions, type NativeModel } from './native-model.ts'

/**
 * Opens a checkpoint folder or a `.gguf` file, with its tokenizer or the one given instead. Errors: weights beyond this machine's
 * memory; the file and field that is wrong.
 */
export async function openModel(
  path: string,
  settings: NativeLoadOptions & { precision: Precision },
  tokenizer?: Tokenizer,
): Promise<{ native: NativeModel; tokenizer: Tokenizer }> {
  await checkWeightsFit(path, settings.precision)
  const native = await binding.open(path, settings)
  try {
    return { native, tokenizer: tokenizer ?? (await tokenizerOf(path, native)) }
  } catch (error) {
    await native.dispose()
    throw error
  }
}

const TOKENIZER_FILE = 'tokenizer.json'

/** The tokenizer of a folder, where it has one. */
export async function tokenizerOfFolder(path: string): Promise<Tokenizer | undefined> {
  const found = await stat(join(path, TOKENIZER_FILE)).catch(() => undefined)
  return found && loadTokenizerFolder(path)
}

async function tokenizerOf(path: string, native: NativeModel): Promise<Tokenizer> {
  if ((await stat(path)).isDirectory())
    return (await tokenizerOfFolder(path)) ?? missingTokenizer(path, TOKENIZER_FILE)
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
