/** Float64Array is accepted everywhere so that a loss can be checked by finite differences; the engine sends Float32Array. */
export type FloatArray = Float32Array | Float64Array

/** One row: at position i the model has seen input[0..i] and is asked about target[i]. Shapes: [T]. */
export interface Sequence {
  input: Int32Array
  /** Token ids; -1 asks nothing at that position, and its outputs are 0. */
  target: Int32Array
  /** What positions see: what comes before (the default), everything, or a prefix of n tokens whole and then what comes before. */
  attention?: 'causal' | 'bidirectional' | { prefix: number }
}

/** Aligned with `target`. Natural logarithms, in nats. Shapes: [T]. */
export interface TokenOutputs<A extends FloatArray = Float32Array> {
  logprobs: A
  entropy?: A
  values?: A
}

/** Sequences that a loss must see together: one for GRPO, two for DPO, a group for group preference. */
export interface Example {
  sequences: Sequence[]
}

/**
 * The loss of one example, its gradient in each output and its metrics.
 *
 * An output without a gradient (`entropy`, `values`) has gradient zero. Metrics add up over the examples of a batch as
 * the loss does, each example reporting its share of the batch's mean; names that end in `Min` or `Max` combine by
 * minimum and maximum instead.
 */
export interface LossResult<A extends FloatArray = Float32Array> {
  loss: number
  gradients: TokenOutputs<A>[]
  metrics: Record<string, number>
}

/**
 * The loss of ONE example. Losses of a batch add up; whoever builds the loss sets the normaliser, so splitting a batch
 * into micro-batches changes nothing.
 */
export type Loss<E extends Example, A extends FloatArray = Float32Array> = (
  example: E,
  outputs: TokenOutputs<A>[],
) => LossResult<A>
