import { saveTokenizerFolder, type Tokenizer } from '../text/index.ts'
import { drawSamples } from './draw-samples.ts'
import { flattenSequences, splitOutputs } from './flatten.ts'
import { forwardBackward } from './forward-backward.ts'
import type { Model, ModelInfo, Precision, TrainableModel } from './model.ts'
import type { NativeModel } from './native-model.ts'
import { optimizerSettings } from './optimizer-settings.ts'
import { nativeMethod } from './training-method.ts'

/** A model of the contract over one of the addon. */
export function createModel(native: NativeModel, tokenizer: Tokenizer, precision: Precision): Model {
  const info = describe(native, precision)
  return {
    info,
    tokenizer,
    async forward(sequences, options = {}) {
      const inputs = flattenSequences(sequences, options)
      if (sequences.length === 0) return []
      return splitOutputs(await native.forward(inputs), inputs.lengths)
    },
    sample: (request) => drawSamples(native, tokenizer, info.vocabularySize, request),
    async trainable(method, head) {
      return createTrainable(
        await native.trainable(nativeMethod(method, head, info.hiddenSize)),
        tokenizer,
        precision,
      )
    },
    parameter: (name) => native.parameter(name),
    parameterNames: () => native.parameterNames(),
    version: () => native.version(),
    async saveWeights(directory, options = {}) {
      await native.saveWeights(directory, options.dtype === 'bf16')
      await saveTokenizerFolder(tokenizer, directory)
    },
  }
}

function createTrainable(native: NativeModel, tokenizer: Tokenizer, precision: Precision): TrainableModel {
  // One batch at a time: the gradients of two interleaved ones could not be told apart.
  let last: Promise<unknown> = Promise.resolve()
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work, work)
    last = next.catch(() => {})
    return next
  }
  return {
    ...createModel(native, tokenizer, precision),
    forwardBackward: (examples, loss, options = {}) =>
      alone(() => forwardBackward(native, examples, loss, options)),
    gradient: (name) => alone(() => native.gradient(name)),
    setParameter: (name, values) => alone(() => native.setParameter(name, values)),
    optimStep: (step) => alone(async () => ({ gradientNorm: await native.step(optimizerSettings(step)) })),
    zeroGradients: () => alone(() => native.discard(true)),
    snapshot: () => alone(async () => createModel(await native.snapshot(), tokenizer, precision)),
    saveState: (directory) => alone(() => native.saveState(directory)),
    loadState: (directory) => alone(() => native.loadState(directory)),
    loadAdapter: (directory) => alone(() => native.loadAdapter(directory)),
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
