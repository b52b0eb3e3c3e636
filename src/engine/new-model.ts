import type { Tokenizer } from '../text/index.ts'
import { checkInteger } from './check-arguments.ts'
import { refuseBeyondMemory } from './check-memory.ts'
import { createModel } from './create-model.ts'
import { EngineError } from './engine-error.ts'
import { type EngineOptions, nativeOptions } from './load-options.ts'
import type { Model, Precision } from './model.ts'
import { binding } from './native-model.ts'
import { shown } from './shown.ts'

/**
 * Makes a new model of a `config.json`'s fields, its weights drawn from the seed (an integer from 0; default 0): the same seed gives
 * the same weights. Errors: a field that is missing or out of its range, by its name; a tokenizer with more tokens than `vocab_size`; a
 * model larger than the available memory.
 */
export async function newModel(
  config: Record<string, unknown>,
  tokenizer: Tokenizer,
  options: EngineOptions & { seed?: number } = {},
): Promise<Model> {
  const settings = nativeOptions('newModel', options, ['seed'])
  const { seed = 0 } = options
  checkInteger('newModel: seed', seed, 0, Number.MAX_SAFE_INTEGER)
  const text = configText(config)
  checkTokenizer(tokenizer, config.vocab_size)
  checkMemory(config, settings.precision)
  return createModel(await binding.create(text, seed, settings), tokenizer, settings.precision)
}

function configText(config: unknown): string {
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw new EngineError(
      `newModel: the configuration is ${shown(config)}; it must be an object of a config.json's fields`,
    )
  try {
    return JSON.stringify(config)
  } catch (error) {
    throw new EngineError(
      `newModel: the configuration cannot be written as JSON: ${(error as Error).message}`,
    )
  }
}

function checkTokenizer(tokenizer: Tokenizer, vocabulary: unknown): void {
  if (typeof tokenizer?.encode !== 'function')
    throw new EngineError(
      `newModel: the tokenizer is ${shown(tokenizer)}; make one with trainTokenizer or loadTokenizer`,
    )
  if (typeof vocabulary === 'number' && tokenizer.vocabularySize > vocabulary)
    throw new EngineError(
      `newModel: vocab_size is ${vocabulary}, but the tokenizer has ${tokenizer.vocabularySize} tokens; raise it to as many`,
    )
}

/** A count of the largest matrices is enough to refuse what would bring the machine down. */
function checkMemory(config: Record<string, unknown>, precision: Precision): void {
  const [vocabulary, hidden, intermediate, layers] = [
    'vocab_size',
    'hidden_size',
    'intermediate_size',
    'num_hidden_layers',
  ].map((field) => Number(config[field])) as [number, number, number, number]
  const bytes = hidden * (vocabulary + 3 * layers * intermediate) * (precision === 'bf16' ? 2 : 4)
  refuseBeyondMemory(
    bytes,
    'newModel: weights of these sizes take',
    'make hidden_size, intermediate_size, num_hidden_layers or vocab_size smaller',
  )
}
