import { saveTokenizerFolder, type Tokenizer } from '../text/index.ts'
import { drawSamples } from './draw-samples.ts'
import { EngineError } from './engine-error.ts'
import { flattenSequences, splitOutputs } from './flatten.ts'
import { forwardBackward } from './forward-backward.ts'
import type {
  AdamWStep,
  Model,
  ModelInfo,
  MuonStep,
  Precision,
  TrainableModel,
  TrainingMethod,
} from './model.ts'
import type { NativeModel, NativeOptimizer } from './native-model.ts'

const MODULES = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']

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
      return createTrainable(await native.trainable(describeMethod(method, head)), tokenizer, precision)
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
    optimStep: (step) => alone(async () => ({ gradientNorm: await native.step(describeStep(step)) })),
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

function describeMethod(method: TrainingMethod, head: 'value' | undefined) {
  const valueHead = head === 'value'
  if ('full' in method) return { valueHead, seed: 0 }
  const { rank, alpha = rank, targetModules = MODULES, seed = 0 } = method.lora
  if (!Number.isInteger(rank) || rank < 1)
    throw new EngineError(`lora.rank is ${rank}; it must be an integer from 1`)
  return { rank, alpha, targets: [...targetModules], valueHead, seed }
}

function describeStep(step: AdamWStep | MuonStep): NativeOptimizer {
  const adamw: Omit<AdamWStep, 'kind' | 'maxGradientNorm'> = step.kind === 'muon' ? step.adamw : step
  const { maxGradientNorm = 1 } = step
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = adamw
  check('learningRate', step.learningRate, 0, Number.MAX_VALUE)
  check('adamw.learningRate', adamw.learningRate, 0, Number.MAX_VALUE)
  check('maxGradientNorm', maxGradientNorm, 0, Number.MAX_VALUE)
  check('beta1', beta1, 0, 1)
  check('beta2', beta2, 0, 1)
  check('weightDecay', weightDecay, 0, Number.MAX_VALUE)
  const settings = {
    learningRate: adamw.learningRate,
    beta1,
    beta2,
    epsilon,
    weightDecay,
    maxNorm: maxGradientNorm,
  }
  if (step.kind !== 'muon') return settings
  const { momentum = 0.95 } = step
  check('momentum', momentum, 0, 1)
  const muonWeightDecay = step.weightDecay ?? 0
  return { ...settings, muonLearningRate: step.learningRate, muonMomentum: momentum, muonWeightDecay }
}

function check(name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high))
    throw new EngineError(
      `optimStep: ${name} is ${value}; it must be ${low} to ${high === 1 ? 1 : 'any finite number'}`,
    )
}
