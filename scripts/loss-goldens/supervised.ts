import type { FloatArray } from '../../src/engine/contract.ts'
import { zerosLike } from '../../src/losses/arrays.ts'
import { algorithm, batchLoss, classifySteps, tokenTotals, valueLoss } from '../../src/losses/index.ts'
import { softmaxCrossEntropy } from '../../src/losses/softmax-cross-entropy.ts'
import { type Adapter, type GoldenCase, options, sequencesOf } from './golden-case.ts'

export const sftCrossEntropy: Adapter = (golden) => {
  const { inputs, config } = golden
  const totals = tokenTotals(inputs.mask)
  const loss = algorithm('sft').build(options(config, ['aggregation', 'constant']), totals)
  const fromLogits = inputs.logits ? logprobsFromLogits(golden) : null
  const logprobs = fromLogits?.logprobs ?? golden.rows('logprobs')
  const examples = sequencesOf(logprobs).map((sequence, s) => ({
    sequences: [sequence],
    masks: [inputs.mask[s]],
  }))
  const result = batchLoss(
    loss,
    examples,
    logprobs.map((row) => [{ logprobs: row }]),
  )
  const slopes = result.gradients.map((gradient) => gradient.logprobs)
  return {
    loss: result.loss,
    gradient: fromLogits ? fromLogits.gradient(slopes) : slopes,
    logprobs,
    tokenCount: totals.tokens,
  }
}

/** Log-probabilities of the targets, and the way back: from a gradient in them to one in the logits. */
function logprobsFromLogits({ inputs, config }: GoldenCase) {
  const classes: number = config.vocabularySize
  const flat = inputs.logits.map((row: number[][]) => Float64Array.from(row.flat())) as Float64Array[]
  const targets: number[][] = inputs.targets
  const scratch = flat.map(zerosLike)
  const logprobs = targets.map((row, s) =>
    Float64Array.from(row, (target, t) => softmaxCrossEntropy(flat[s]!, t, classes, target, -1, scratch[s]!)),
  )
  const gradient = (slopes: FloatArray[]) =>
    slopes.map((row, s) =>
      Array.from(row, (slope, t) =>
        Array.from(scratch[s]!.subarray(t * classes, (t + 1) * classes), (z) => slope * z),
      ),
    )
  return { logprobs, gradient }
}

export const processReward: Adapter = ({ inputs, config }) => {
  const classes: number = config.classes
  const logits = inputs.logits.map((row: number[][]) => Float64Array.from(row.flat())) as Float64Array[]
  const { loss, gradients, metrics } = classifySteps(logits, inputs.labels, classes)
  const gradient = gradients.map((row) =>
    Array.from({ length: row.length / classes }, (_, t) => row.subarray(t * classes, (t + 1) * classes)),
  )
  return { ...metrics, loss, gradient }
}

export const rewardBradleyTerry: Adapter = ({ inputs, config, row }) => {
  const [chosen, rejected] = [row('chosenRewards'), row('rejectedRewards')]
  const one = (value: number) => Float64Array.of(value)
  const examples = Array.from(chosen, (_, i) => ({
    sequences: sequencesOf([one(0), one(0)]),
    masks: [[1], [1]],
    ...(inputs.margins && { margin: inputs.margins[i] as number }),
  }))
  const outputs = Array.from(chosen, (score, i) =>
    [score, rejected[i]!].map((value) => ({ logprobs: one(0), values: one(value) })),
  )
  const build = algorithm('reward-bradley-terry').build
  const loss = build(options(config, ['centringCoefficient']), { pairs: chosen.length })
  const result = batchLoss(loss, examples, outputs)
  const slopes = result.gradients.map((gradient) => gradient.values![0]!)
  return {
    loss: result.loss,
    gradient: {
      chosen: slopes.filter((_, i) => i % 2 === 0),
      rejected: slopes.filter((_, i) => i % 2 === 1),
    },
    accuracy: result.metrics.accuracy,
    meanMargin: result.metrics.margin,
  }
}

export const valueClipped: Adapter = ({ inputs, config, rows }) => {
  const [values, oldValues, returns] = [rows('values'), rows('oldValues'), rows('returns')]
  const loss = valueLoss(options(config, ['clip', 'aggregation', 'constant']), tokenTotals(inputs.mask))
  const examples = sequencesOf(values).map((sequence, s) => ({
    sequences: [sequence],
    masks: [inputs.mask[s]],
    oldValues: [oldValues[s]!],
    returns: [returns[s]!],
  }))
  const outputs = values.map((row) => [{ logprobs: zerosLike(row), values: row }])
  const result = batchLoss(loss, examples, outputs)
  return {
    loss: result.loss,
    gradient: result.gradients.map((gradient) => gradient.values),
    clipFraction: result.metrics.valueClipFraction,
  }
}
