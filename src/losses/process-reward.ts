/**
 * Process reward model: is each step of a solution right? Asked at the last token of the step.
 *
 * Formula: mean over labelled tokens of -log softmax(z)[label]; on a value head v the two classes have logits (0, v), so
 *   -log s(v) for a right step and -log s(-v) for a wrong one
 * Paper: arXiv 2305.20050
 * Peers: agree on the mean over labelled tokens of the batch.
 */

import type { Example, FloatArray } from '../engine/contract.ts'
import { checkLength, checkOutputs, finite, zerosLike } from './arrays.ts'
import { logSigmoid, sigmoid } from './log-sigmoid.ts'
import { type OptionsFor, readOptions } from './options.ts'
import { softmaxCrossEntropy } from './softmax-cross-entropy.ts'
import { checkTotals } from './totals.ts'
import type { PureLoss } from './types.ts'

export const processRewardOptions = {}

/** The label of a token that ends no step, as in the peers' data. */
export const unlabelled = -100

/** [T] a sequence: 1 right, 0 wrong, -100 where no step ends. */
export interface StepLabels extends Example {
  labels: ArrayLike<number>[]
}

/** `totals.labelledTokens` counts the labels of the batch. Metric: `accuracy`, share of steps judged right. */
export function processReward(
  given: OptionsFor<typeof processRewardOptions>,
  totals: { labelledTokens: number },
): PureLoss<StepLabels> {
  const id = 'process-reward'
  readOptions(id, processRewardOptions, given)
  checkTotals(id, totals)
  return (example, outputs) => {
    checkOutputs(id, example, outputs)
    let loss = 0
    let correct = 0
    const gradients = outputs.map(({ logprobs, values: output }, s) => {
      const values = checkLength(id, 'values', s, output, logprobs.length)
      const labels = checkLength(id, 'labels', s, example.labels[s], logprobs.length)
      const gradient = zerosLike(values)
      for (let t = 0; t < values.length; t++) {
        const label = labels[t]!
        if (label === unlabelled) continue
        if (label !== 0 && label !== 1)
          throw new Error(`${id}: a label is 0, 1 or -100, got ${label} at token ${t}`)
        const value = finite(id, 'values', s, t, values[t])
        const sign = label === 1 ? 1 : -1
        loss -= logSigmoid(sign * value) / totals.labelledTokens
        gradient[t] = (-sign * sigmoid(-sign * value)) / totals.labelledTokens
        if (value > 0 === (label === 1)) correct++
      }
      return { logprobs: zerosLike(logprobs), values: gradient }
    })
    return { loss, gradients, metrics: { accuracy: correct / totals.labelledTokens } }
  }
}

/**
 * The form for any number of classes, on logits instead of a value head: mean over labelled rows.
 *
 * @param logits [sequence][T * classes]
 * @param labels [sequence][T], -100 where no step ends
 */
export function classifySteps(logits: FloatArray[], labels: ArrayLike<number>[], classes: number) {
  let labelledTokens = 0
  for (const row of labels) for (let t = 0; t < row.length; t++) if (row[t] !== unlabelled) labelledTokens++
  checkTotals('process-reward', { labelledTokens })
  let loss = 0
  let correct = 0
  const gradients = logits.map((z, s) => {
    const gradient = zerosLike(z)
    const row = checkLength('process-reward', 'labels', s, labels[s], z.length / classes)
    for (let t = 0; t < row.length; t++) {
      if (row[t] === unlabelled) continue
      loss -= softmaxCrossEntropy(z, t, classes, row[t]!, 1 / labelledTokens, gradient) / labelledTokens
      const token = z.subarray(t * classes, (t + 1) * classes)
      if (token.indexOf(Math.max(...token)) === row[t]) correct++
    }
    return gradient
  })
  return { loss, gradients, metrics: { accuracy: correct / labelledTokens, labelledTokens } }
}
