import type { Tokenizer } from '../text/index.ts'
import { createModel } from './create-model.ts'
import { EngineError } from './engine-error.ts'
import type { Model, Precision } from './model.ts'
import { withEngineErrors } from './native-errors.ts'
import { binding, type NativeLoadOptions, type NativeModel } from './native-model.ts'
import { openModel, tokenizerOfFolder } from './open-model.ts'
import { baseName, type ResolveOptions, resolveBase, resolveModel } from './resolve/index.ts'

/**
 * A PEFT adapter's folder as a frozen model: the base that it names, or `base` where given, with the adapter on it. The tokenizer is the
 * folder's, or else the base's. Errors: no base is named or it is not to be found; what is wrong in the adapter, by file and field.
 */
export async function openAdapter(
  folder: string,
  settings: NativeLoadOptions & { precision: Precision },
  options: ResolveOptions & { base?: string },
): Promise<Model> {
  // A broken adapter is told before a base is fetched for it.
  const recorded = await binding.adapterBase(folder)
  const own = await tokenizerOfFolder(folder)
  const base =
    options.base === undefined
      ? await resolveBase(folder, recorded, options)
      : await resolveModel(options.base, options)
  if (base.kind === 'adapter')
    throw new EngineError(
      `${folder}: its base ${base.path} is an adapter itself; give the model that this one was trained on`,
    )
  const { native, tokenizer } = await openModel(base.path, settings, own)
  try {
    if (own) checkTokens(folder, own, native)
    const adapted = await withEngineErrors(native).withAdapter(folder)
    return createModel(adapted, tokenizer, settings.precision, baseName(base.name))
  } finally {
    // The adapted model shares the weights and keeps them.
    await native.dispose()
  }
}

/** An adapter whose tokens the base does not have was trained on another model, or on one whose embeddings were enlarged. */
function checkTokens(folder: string, own: Tokenizer, native: NativeModel): void {
  const { vocab_size: size } = JSON.parse(native.config) as { vocab_size: number }
  if (own.vocabularySize > size)
    throw new EngineError(
      `${folder}/tokenizer.json has ${own.vocabularySize} tokens, its base ${size}: this is not the model that the adapter was trained on; name that one (base, or --base)`,
    )
}
