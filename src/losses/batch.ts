import type { Example, FloatArray, LossResult, TokenOutputs } from '../engine/contract.ts'
import { combineMetrics } from './metrics.ts'
import type { PureLoss } from './types.ts'

/** The loss of many examples: the sum of their losses, all their gradients in order, their metrics combined. */
export function batchLoss<E extends Example, A extends FloatArray>(
  loss: PureLoss<E>,
  examples: readonly E[],
  outputs: readonly TokenOutputs<A>[][],
): LossResult<A> {
  if (outputs.length !== examples.length) {
    throw new Error(`batchLoss: ${examples.length} examples, but outputs for ${outputs.length}`)
  }
  const results = examples.map((example, i) => loss(example, outputs[i]!))
  return {
    loss: results.reduce((sum, result) => sum + result.loss, 0),
    gradients: results.flatMap((result) => result.gradients),
    metrics: combineMetrics(results.map((result) => result.metrics)),
  }
}
