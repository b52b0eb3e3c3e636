import { saveTokenizerFolder, type Tokenizer } from '../text/index.ts'
import { checkNames, checkText } from './check-arguments.ts'
import { checkTrainingFits } from './check-memory.ts'
import { checkOptions, checkSequences } from './check-sequences.ts'
import { drawSamples } from './draw-samples.ts'
import { EngineError } from './engine-error.ts'
import { flattenSequences, splitOutputs } from './flatten.ts'
import { forwardBackward } from './forward-backward.ts'
import type { Model, ModelInfo, Precision, TrainableModel } from './model.ts'
import { withEngineErrors } from './native-errors.ts'
import type { NativeModel } from './native-model.ts'
import { optimizerSettings } from './optimizer-settings.ts'
import { shown } from './shown.ts'
import { nativeMethod } from './training-method.ts'

/**
 * A model of the contract over one of the addon. `base` is what an adapter's folder names as the weights below the adapter; empty where
 * they have no name.
 */
export function createModel(
  addon: NativeModel,
  tokenizer: Tokenizer,
  precision: Precision,
  base = '',
): Model {
  const native = withEngineErrors(addon)
  const info = describe(native, precision)
  return {
    info,
    tokenizer,
    async forward(sequences, options = {}) {
      checkOptions('forward', options)
      checkSequences(sequences, info)
      if (sequences.length === 0) return []
      const inputs = flattenSequences(sequences, options)
      return splitOutputs(await native.forward(inputs), inputs.lengths)
    },
    sample: (request) => drawSamples(native, tokenizer, info.vocabularySize, request),
    async trainable(method, head) {
      const settings = nativeMethod(method, head, info.hiddenSize)
      const full = 'full' in method && method.full
      if (full) checkTrainingFits(info.parameters)
      // Weights that are trained stop being the ones that go by the name.
      return createTrainable(await native.trainable(settings), tokenizer, precision, full ? '' : base)
    },
    async parameter(name) {
      checkText('parameter: the name', name)
      return native.parameter(name)
    },
    parameterNames: () => native.parameterNames(),
    version: () => native.version(),
    async saveWeights(directory, options = {}) {
      checkText('saveWeights: the directory', directory)
      checkNames('saveWeights', options, ['dtype'])
      const { dtype = 'f32' } = options
      if (dtype !== 'f32' && dtype !== 'bf16')
        throw new EngineError(`saveWeights: dtype is ${shown(dtype)}; it must be 'f32' or 'bf16'`)
      await native.saveWeights(directory, dtype === 'bf16', base)
      if (tokenizer.vocabularySize > 0) await saveTokenizerFolder(tokenizer, directory)
    },
    dispose: () => native.dispose(),
    [Symbol.asyncDispose]: () => native.dispose(),
  }
}

function createTrainable(
  addon: NativeModel,
  tokenizer: Tokenizer,
  precision: Precision,
  base: string,
): TrainableModel {
  const native = withEngineErrors(addon)
  // One batch at a time: the gradients of two interleaved ones could not be told apart.
  let last: Promise<unknown> = Promise.resolve()
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work, work)
    last = next.catch(() => {})
    return next
  }
  const model = createModel(addon, tokenizer, precision, base)
  // What is wrong with arguments is told at once, whatever runs before.
  const inDirectory = (method: 'saveState' | 'loadState' | 'loadAdapter') => async (directory: string) => {
    checkText(`${method}: the directory`, directory)
    await alone(() => native[method](directory))
  }
  const dispose = () => alone(() => native.dispose())
  return {
    ...model,
    forwardBackward: (examples, loss, options = {}) =>
      alone(() => forwardBackward(native, model.info, examples, loss, options)),
    async gradient(name) {
      checkText('gradient: the name', name)
      return alone(() => native.gradient(name))
    },
    async setParameter(name, values) {
      checkText('setParameter: the name', name)
      checkValues(name, values)
      await alone(() => native.setParameter(name, values))
    },
    async optimStep(step) {
      const settings = optimizerSettings(step)
      return { gradientNorm: await alone(() => native.step(settings)) }
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
    async keepSampled(on) {
      if (typeof on !== 'boolean')
        throw new EngineError(`keepSampled: its argument is ${shown(on)}; it must be true or false`)
      await alone(() => native.keepSampled(on))
    },
    forgetSampled: () => alone(() => native.forgetSampled()),
    resetOptimizer: () => alone(() => native.resetOptimizer()),
    zeroGradients: () => alone(() => native.discard(true)),
    snapshot: () => alone(async () => createModel(await native.snapshot(), tokenizer, precision, base)),
    saveState: inDirectory('saveState'),
    loadState: inDirectory('loadState'),
    loadAdapter: inDirectory('loadAdapter'),
  }
}

function describe(native: NativeModel, precision: Precision): ModelInfo {
  const config = JSON.parse(native.config) as Record<string, unknown>
  return {
    architecture: String(config.model_type),
    parameters: native.parameters,
    trainedParameters: native.trainedParameters,
    vocabularySize: Number(config.vocab_size),
    context: Number(config.max_position_embeddings),
    layers: Number(config.num_hidden_layers),
    hiddenSize: Number(config.hidden_size),
    precision,
    ...(native.digest !== undefined && { digest: native.digest }),
    config,
  }
}

function checkValues(name: string, values: unknown): void {
  if (!(values instanceof Float32Array))
    throw new EngineError(
      `setParameter: the values of ${name} are ${shown(values)}; they must be a Float32Array`,
    )
  const bad = values.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0)
    throw new EngineError(`setParameter: value ${bad} of ${name} is ${values[bad]}; it must be finite`)
}
