import type { Tokenizer } from '../text/index.ts'
import type { Example, Loss, Sequence, TokenOutputs } from './contract.ts'

export interface ModelInfo {
  /** `llama`, `mistral`, `qwen2`, `qwen3`. */
  architecture: string
  /** Elements of all parameters, an adapter's included. */
  parameters: number
  /** Elements that are trained; 0 for a frozen model. */
  trainedParameters: number
  /** Tokens that the model's head knows; the tokenizer may use fewer. */
  vocabularySize: number
  /** Most tokens of a sequence. */
  context: number
  layers: number
  hiddenSize: number
  precision: Precision
  /** SHA-256 of the weights' files, where the model came from files. */
  digest?: string
  /** The checkpoint's config.json. */
  config: Record<string, unknown>
}

export type Precision = 'f32' | 'bf16'

export interface ForwardOptions {
  entropy?: boolean
  /** Values of the scalar head; the model must have one. */
  values?: boolean
  /** What logits are divided by, at least 1e-6. Default 1. */
  temperature?: number
  /** Compute common beginnings of causal sequences once. Default true; the results are the same. */
  sharePrefixes?: boolean
}

export interface SampleRequest {
  /** Token ids below the vocabulary's size, at least one. */
  prompt: Int32Array | readonly number[]
  /** Samples to draw, at most 10,000. Default 1. */
  n?: number
  /** Most tokens of a sample. Default 256. */
  maxTokens?: number
  /** 0 takes the most likely token; else 1e-6 to 100. Default 1. */
  temperature?: number
  /** Draw among this many most likely tokens; 0: all. Default 0. */
  topK?: number
  /** Draw among the most likely tokens with this much probability together, above 0, at most 1. Default 1. */
  topP?: number
  /** Draw among tokens with at least this share of the most likely one's probability, 0 to 1. Default 0. */
  minP?: number
  /** Integer from 0; the same seed gives the same tokens whatever else is in flight. Default 0. */
  seed?: number
  /** Number of the first sample: `n: 4` from 0 draws what two requests of 2 from 0 and from 2 draw. Default 0. */
  firstSample?: number
  /** Tokens that end a sample; they are its last token but not of its text. Default: the tokenizer's ends of text. */
  stopTokens?: readonly number[]
  /** Texts of 1 to 1000 characters that end a sample; its text ends before them. */
  stopStrings?: readonly string[]
  /** Added to the logits of tokens, by id, before tempering: -1e30 to 1e30. Changes the draw, not the recorded log-probabilities. */
  logitBias?: Readonly<Record<number, number>>
  /** How many of the most likely tokens to report at each position, at most 1000. Default 0. */
  topLogprobs?: number
  /** Hears each token as it is drawn, all of them before `sample` resolves. The texts of a sample's tokens join to its `text`: a token
   *  whose text a stop string or an unfinished character holds back is told with the next one. What it throws, or rejects with,
   *  ends the request, which rejects with it; promises that it gives are waited for at the end. */
  onToken?: (token: { sample: number; token: number; logprob: number; text: string }) => void
  /** Ends the samples where they are: they come back with stopReason `aborted`. One aborted beforehand rejects with its reason. */
  signal?: AbortSignal
}

export interface Sample {
  /** Without special tokens, the stop token and the stop string; empty where the model has no tokenizer. */
  text: string
  promptTokens: Int32Array
  /** The drawn tokens, a stop token included. */
  tokens: Int32Array
  /** Log-probability of each token, in nats, under the tempered distribution before truncation and bias. */
  logprobs: Float32Array
  /** At each position the most likely tokens with their log-probabilities, where asked for. */
  topLogprobs?: { token: number; logprob: number }[][]
  stopReason: 'stop' | 'length' | 'aborted'
}

export interface LoraConfig {
  /** Rank of the update, 1 to the model's hidden size. */
  rank: number
  /** The update is multiplied by alpha / rank; above 0. Default: the rank. */
  alpha?: number
  /** Last parts of module names. Default: all seven of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj. */
  targetModules?: readonly string[]
  /** For A's starting values; B starts at 0. Default 0. */
  seed?: number
}

export type TrainingMethod = { full: true } | { lora: LoraConfig }

interface ClippedStep {
  /** From 0, at which a step updates the optimiser's state and no weight: a control. */
  learningRate: number
  /** Gradients are scaled down to this norm; 0: never. Default 1. */
  maxGradientNorm?: number
}

export interface AdamWStep extends ClippedStep {
  kind?: 'adamw'
  /** From 0 to below 1. Default 0.9. */
  beta1?: number
  /** From 0 to below 1. Default 0.999. */
  beta2?: number
  /** Above 0. Default 1e-8. */
  epsilon?: number
  /** Of matrices only, times the learning rate, from 0. Default 0. */
  weightDecay?: number
}

export interface MuonStep extends ClippedStep {
  kind: 'muon'
  /** From 0 to below 1. Default 0.95. */
  momentum?: number
  /** Times the learning rate, from 0. Default 0. */
  weightDecay?: number
  /** AdamW's settings for embeddings, head, norms and biases. */
  adamw: Omit<AdamWStep, 'kind' | 'maxGradientNorm'>
}

export interface BatchReport {
  /** Sum of the examples' losses. */
  loss: number
  /** Sums over the examples; names that end in Min or Max are minima and maxima. */
  metrics: Record<string, number>
  tokens: number
  microBatches: number
  /** Those of them that sampling had computed (`keepSampled`). */
  sampledMicroBatches: number
}

export interface StepReport {
  /** Of all gradients together, before clipping. */
  gradientNorm: number
}

export interface TrainingOptions extends Omit<ForwardOptions, 'sharePrefixes'> {
  sharePrefixes?: boolean
  /** Keep only each layer's input and compute the rest again: a third more time, a fraction of the memory. Default: where one
   *  example would not fit otherwise. */
  recompute?: boolean
}

export interface Model {
  readonly info: ModelInfo
  readonly tokenizer: Tokenizer
  forward(sequences: readonly Sequence[], options?: ForwardOptions): Promise<TokenOutputs[]>
  sample(request: SampleRequest): Promise<Sample[]>
  /** A copy to train: all weights, or an adapter on these; with a scalar head where `head` is 'value'. Of a model that has an adapter
   *  already, all weights with the adapter merged into them; another adapter is refused. */
  trainable(method: TrainingMethod, head?: 'value'): Promise<TrainableModel>
  /** Values of a parameter by its checkpoint name, row-major. */
  parameter(name: string): Promise<Float32Array>
  parameterNames(): Promise<string[]>
  /** A number that changes with the weights. */
  version(): Promise<number>
  /** Writes a Hugging Face checkpoint with the tokenizer; of a model with an adapter, the adapter in PEFT's form, with the name of its
   *  base: none where the base was made by `newModel` or trained. `loadModel` opens either. */
  saveWeights(directory: string, options?: { dtype?: 'f32' | 'bf16' }): Promise<void>
  /**
   * Gives the memory back once what was asked before is done; samples in flight go on to their end. What was made of this model stays
   * as it is. Whatever is asked afterwards is an error; disposing again is none. Without it the memory comes back when the model is
   * collected as garbage.
   */
  dispose(): Promise<void>
  /** `dispose`, at the end of an `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

export interface TrainableModel extends Model {
  /** Runs the examples forward, calls the loss of each, and goes back; adds to the gradients. */
  forwardBackward<E extends Example>(
    examples: readonly E[],
    loss: Loss<E>,
    options?: TrainingOptions,
  ): Promise<BatchReport>
  /** The gradient so far of a trained parameter, by its checkpoint name. */
  gradient(name: string): Promise<Float32Array>
  setParameter(name: string, values: Float32Array): Promise<void>
  /**
   * Clips, applies and clears. A gradient with a NaN or an infinity is an error and changes no weight; so is a step of another
   * optimiser than the ones before, whose moments mean something else: call `resetOptimizer` between the two.
   */
  optimStep(step: AdamWStep | MuonStep): Promise<StepReport>
  /**
   * While on, sampling keeps what a backward pass will need of what it computes, in at most `activationBytes`, until
   * the weights change. Micro-batches of nothing but that (the tokens of prompts and samples, all but each sample's
   * last) are then not run forward again; the results are the same, to the bit. For samples that will be trained on
   * before the next step: it costs sampling some time. Where a step's samples need more memory, nothing of them is
   * kept.
   */
  keepSampled(on: boolean): Promise<void>
  /** Lets go of what sampling kept, and of its memory, which otherwise stays for the samples of the next step. */
  forgetSampled(): Promise<void>
  /** Forgets the optimiser's moments and its count of steps, as at the beginning of another stage. */
  resetOptimizer(): Promise<void>
  zeroGradients(): Promise<void>
  /** The model as it is now, frozen. */
  snapshot(): Promise<Model>
  /** Weights and optimiser, exactly. */
  saveState(directory: string): Promise<void>
  loadState(directory: string): Promise<void>
  /** Reads a PEFT adapter of the same rank and modules. */
  loadAdapter(directory: string): Promise<void>
}
