import { native } from '../native/index.ts'
import { withEngineErrors } from './native-errors.ts'
import type { RecordedBase } from './resolve/index.ts'

/** The binding of crates/node/src/model.rs: sequences one after another in flat arrays. */
export interface NativeInputs {
  tokens: Int32Array
  targets: Int32Array
  lengths: Uint32Array
  masks: Int32Array
  temperature: number
  entropy: boolean
  values: boolean
  share: boolean
}

export interface NativeOutputs {
  logprobs: Float32Array
  entropy?: Float32Array
  values?: Float32Array
  /** Whether the layers were computed in sampling, and not again. */
  sampled?: boolean
}

export interface NativeLoadOptions {
  precision: string
  threads: number
  kvBytes: number
  activationBytes: number
}

export interface NativeOptimizer {
  learningRate: number
  beta1: number
  beta2: number
  epsilon: number
  weightDecay: number
  maxNorm: number
  muonLearningRate?: number
  muonMomentum?: number
  muonWeightDecay?: number
}

export interface NativeSampleRequest {
  id: number
  prompt: Int32Array
  count: number
  firstSample: number
  maxTokens: number
  temperature: number
  topK: number
  topP: number
  minP: number
  seed: number
  stopTokens: Uint32Array
  biasTokens: Uint32Array
  biasValues: Float32Array
  topLogprobs: number
}

export interface NativeSample {
  tokens: Int32Array
  logprobs: Float32Array
  topTokens: Int32Array
  topValues: Float32Array
  stopReason: 'stop' | 'length' | 'aborted'
}

export interface NativeToken {
  sample: number
  token: number
  logprob: number
}

export interface NativeModel {
  readonly config: string
  readonly parameters: number
  readonly trainedParameters: number
  readonly tokenizerJson?: string
  readonly chatTemplate?: string
  readonly digest?: string
  parameterNames(): Promise<string[]>
  version(): Promise<number>
  fitting(
    inputs: NativeInputs,
    counts: Uint32Array,
    recompute?: boolean,
  ): Promise<{ examples: number; recompute: boolean }>
  forward(inputs: NativeInputs): Promise<NativeOutputs>
  forwardKeep(inputs: NativeInputs, recompute: boolean): Promise<NativeOutputs>
  keepSampled(on: boolean): Promise<void>
  forgetSampled(): Promise<void>
  backward(gradients: NativeOutputs, lengths: Uint32Array): Promise<void>
  discard(gradients: boolean): Promise<void>
  resetOptimizer(): Promise<void>
  gradient(name: string): Promise<Float32Array>
  parameter(name: string): Promise<Float32Array>
  setParameter(name: string, values: Float32Array): Promise<void>
  step(settings: NativeOptimizer): Promise<number>
  trainable(method: {
    rank?: number
    alpha?: number
    targets?: string[]
    valueHead: boolean
    seed: number
  }): Promise<NativeModel>
  snapshot(): Promise<NativeModel>
  sample(request: NativeSampleRequest, onToken?: (token: NativeToken) => void): Promise<NativeSample[]>
  abort(id: number, sample?: number): Promise<void>
  saveState(directory: string): Promise<void>
  loadState(directory: string): Promise<void>
  saveWeights(directory: string, bf16: boolean, base: string): Promise<void>
  loadAdapter(directory: string): Promise<void>
  withAdapter(directory: string): Promise<NativeModel>
  dispose(): Promise<void>
}

export const binding: {
  adapterBase(directory: string): Promise<RecordedBase>
  open(path: string, options: NativeLoadOptions): Promise<NativeModel>
  create(config: string, seed: number, options: NativeLoadOptions): Promise<NativeModel>
} = withEngineErrors(native)
