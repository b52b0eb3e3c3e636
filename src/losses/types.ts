import type { Example, FloatArray, LossResult, TokenOutputs } from '../engine/contract.ts'

/** A `Loss` for both widths of float: gradients come back in the width of the outputs, sums are kept in float64. */
export type PureLoss<E extends Example> = <A extends FloatArray>(
  example: E,
  outputs: TokenOutputs<A>[],
) => LossResult<A>

/** [T], aligned with `target`: 1 on tokens the policy chose, 0 on prompt, tool output and padding. */
export type Mask = ArrayLike<number>

/** A part of a batch that says which tokens train. One mask a sequence. */
export interface MaskedExample extends Example {
  masks: Mask[]
}

/** What a policy-gradient loss needs besides the model's outputs. One entry a sequence; token arrays are [T]. */
export interface PolicyExample extends MaskedExample {
  /** One number for the whole response, or one a token. */
  advantages: (number | FloatArray)[]
  /** log-probabilities under the policy at the start of the step; only the plain policy gradient does without. */
  oldLogprobs?: FloatArray[]
  /** log-probabilities under the reference; needed when a KL coefficient is not 0. */
  referenceLogprobs?: FloatArray[]
  /** Importance weights between trainer and sampler (see the `is-*` ids); they multiply the policy term. */
  importanceWeights?: FloatArray[]
}

/** For losses that fit `values` (PPO's critic). Token arrays are [T]. */
export interface ValueExample extends MaskedExample {
  /** Value estimates at the start of the step. */
  oldValues: FloatArray[]
  /** Targets: advantages + values from GAE. */
  returns: FloatArray[]
}

/** Two responses to one prompt: sequences[0] is preferred to sequences[1]. */
export interface PreferenceExample extends MaskedExample {
  referenceLogprobs: FloatArray[]
}

/** All responses to one prompt, each with a score; larger is better. */
export interface ScoredGroup extends MaskedExample {
  referenceLogprobs: FloatArray[]
  scores: ArrayLike<number>
}

/** Counts over the WHOLE batch: what makes the losses of its parts add up to the batch's mean. */
export interface TokenTotals {
  /** Sequences with at least one trained token. */
  sequences: number
  /** Trained tokens: the sum of all masks. */
  tokens: number
}

export interface PairTotals {
  /** Preference pairs in the batch. */
  pairs: number
}

export interface GroupTotals {
  /** Groups of the batch that carry signal, that is, whose scores differ. */
  groups: number
}
