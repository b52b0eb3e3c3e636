import type { Example, FloatArray } from '../../src/engine/contract.ts'
import { batchLoss, type PolicyExample, type PureLoss } from '../../src/losses/index.ts'
import type { GradientPoint, Outputs } from './central-difference.ts'
import type { RandomBatch } from './random-batch.ts'

/** A point of the batch under a loss. `stopped` replaces the loss as the function to be differentiated. */
export function point<E extends Example>(
  loss: PureLoss<E>,
  examples: E[],
  flat: RandomBatch['outputs'],
  stopped?: (outputs: Outputs) => number,
): GradientPoint {
  let next = 0
  const outputs = examples.map((example) => example.sequences.map(() => flat[next++]!))
  const { loss: centre, gradients } = batchLoss(loss, examples, outputs)
  let taken = 0
  return {
    outputs,
    loss: centre,
    gradients: examples.map((example) => example.sequences.map(() => gradients[taken++]!)),
    value: stopped ?? ((moved) => batchLoss(loss, examples, moved).loss),
  }
}

/** One example a sequence. */
export function policyExamples(
  batch: RandomBatch,
  advantages: (number | FloatArray)[],
  importance?: FloatArray[],
): (PolicyExample & { referenceLogprobs: FloatArray[] })[] {
  return batch.sequences.map((sequence, s) => ({
    sequences: [sequence],
    masks: [batch.masks[s]!],
    advantages: [advantages[s]!],
    oldLogprobs: [batch.oldLogprobs[s]!],
    referenceLogprobs: [batch.referenceLogprobs[s]!],
    ...(importance && { importanceWeights: [importance[s]!] }),
  }))
}

export const twoGroups = [0, 0, 0, 1, 1, 1]
export const size = twoGroups.length

export function pairs(batch: RandomBatch) {
  return [0, 2, 4].map((first) => ({
    sequences: batch.sequences.slice(first, first + 2),
    masks: batch.masks.slice(first, first + 2),
    referenceLogprobs: batch.referenceLogprobs.slice(first, first + 2),
    margin: 0.3,
  }))
}

export function groups(batch: RandomBatch) {
  return [0, 3].map((first) => ({
    sequences: batch.sequences.slice(first, first + 3),
    masks: batch.masks.slice(first, first + 3),
    referenceLogprobs: batch.referenceLogprobs.slice(first, first + 3),
    scores: batch.advantages.slice(first, first + 3),
  }))
}
