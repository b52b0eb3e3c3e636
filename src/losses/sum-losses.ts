import type { Example, FloatArray, TokenOutputs } from '../engine/contract.ts'
import { combineMetrics } from './metrics.ts'
import type { PureLoss } from './types.ts'

/** The sum of several losses of the same example. */
export function sumLosses<E extends Example>(losses: PureLoss<E>[]): PureLoss<E> {
  return (example, outputs) => {
    const results = losses.map((loss) => loss(example, outputs))
    return {
      loss: results.reduce((sum, result) => sum + result.loss, 0),
      gradients: outputs.map((_, s) => results.map((result) => result.gradients[s]!).reduce(addOutputs)),
      metrics: combineMetrics(results.map((result) => result.metrics)),
    }
  }
}

function addOutputs<A extends FloatArray>(a: TokenOutputs<A>, b: TokenOutputs<A>): TokenOutputs<A> {
  const sum: TokenOutputs<A> = { ...a, ...b }
  for (const name of ['logprobs', 'entropy', 'values'] as const) {
    const [x, y] = [a[name], b[name]]
    if (x && y) sum[name] = x.map((value, t) => value + y[t]!) as A
  }
  return sum
}
