import type { TrainableModel } from '../engine/index.ts'
import type { MaskedExample, PureLoss } from '../losses/index.ts'
import type { ParameterVector } from './parameter-vector.ts'
import { forwardRows, type Row, rowsExample, rowsLoss, temperatureOf } from './rows.ts'

/** A step of the parameters by this share of their length: where rounding in f32 and curvature weigh about the same. */
const relativeStep = 2e-3

/**
 * The Fisher matrix of a policy times a vector, on tokens that it drew itself: F v = 1/N * sum over drawn tokens of g (g.v), with g the
 * gradient of the token's log-probability.
 *
 * g.v is a central difference of the log-probabilities along v, which takes two forward passes; the sum of g (g.v) is then the gradient of a
 * loss that weighs each log-probability by a constant. So the product is positive semidefinite up to the error of the difference.
 *
 * @param parameters read at the present weights, to which the model returns
 * @returns [N] -> [N]
 */
export function fisherProduct(
  model: TrainableModel,
  parameters: ParameterVector,
  rows: readonly Row[],
): (vector: Float64Array) => Promise<Float64Array> {
  const tokens = rows.reduce((sum, row) => sum + row.tokens, 0)
  const at = async (vector: Float64Array, scale: number) => {
    await parameters.move(vector, scale)
    return (await forwardRows(model, rows)).map(({ logprobs }) => logprobs)
  }
  return async (vector) => {
    const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0))
    if (length === 0) return new Float64Array(parameters.size)
    const scale = (relativeStep * Math.max(parameters.norm, 1)) / length
    const [above, below] = [await at(vector, scale), await at(vector, -scale)]
    await parameters.move()
    const examples = rows.map((row, index) =>
      rowsExample([row], {
        slopes: slopesOf(row, above[index]!, below[index]!, 2 * scale * tokens),
      }),
    )
    await model.forwardBackward(examples, rowsLoss(linear), { temperature: temperatureOf(rows) })
    return parameters.takeGradient()
  }
}

function slopesOf({ mask }: Row, above: Float32Array, below: Float32Array, divisor: number): Float32Array {
  return Float32Array.from(mask, (m, t) => (m === 1 ? (above[t]! - below[t]!) / divisor : 0))
}

/** sum of slope * l. */
const linear: PureLoss<MaskedExample & { slopes: ArrayLike<number> }> = ({ slopes }, outputs) => {
  let loss = 0
  const gradients = outputs.map((output) => {
    const logprobs = output.logprobs.map((l, t) => {
      loss += slopes[t]! * l
      return slopes[t]!
    }) as typeof output.logprobs
    return { logprobs }
  })
  return { loss, gradients, metrics: {} }
}
