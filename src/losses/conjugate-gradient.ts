import { type MayWait, runAtOnce, waited } from './may-wait.ts'

/**
 * Solves H x = g for a symmetric positive definite H that is known only by its product with a vector.
 *
 * Formula: Hestenes and Stiefel (1952), step r.r / (p.Hp + epsilon), as in Spinning Up's TRPO
 *
 * @param apply H times a vector, [N] -> [N]
 * @param gradient g, [N]
 * @param iterations number of products with H, at least 1
 * @param epsilon keeps the step finite when the residual is already 0
 */
export function conjugateGradient(
  apply: (vector: Float64Array) => Float64Array,
  gradient: Float64Array,
  iterations: number,
  epsilon = 1e-8,
): Float64Array {
  return runAtOnce(conjugateGradientSteps(apply, gradient, iterations, epsilon))
}

/** The same where the product may be waited for. */
export function* conjugateGradientSteps(
  apply: (vector: Float64Array) => Float64Array | Promise<Float64Array>,
  gradient: Float64Array,
  iterations: number,
  epsilon: number,
): MayWait<Float64Array> {
  if (!Number.isInteger(iterations) || iterations < 1) {
    throw new RangeError(`conjugateGradient: iterations must be an integer of at least 1, got ${iterations}`)
  }
  const x = new Float64Array(gradient.length)
  const residual = Float64Array.from(gradient)
  const direction = Float64Array.from(gradient)
  let squared = dot(residual, residual)
  for (let i = 0; i < iterations; i++) {
    const product = yield* waited(apply(direction))
    const step = squared / (dot(direction, product) + epsilon)
    for (let k = 0; k < x.length; k++) {
      x[k]! += step * direction[k]!
      residual[k]! -= step * product[k]!
    }
    const before = squared
    squared = dot(residual, residual)
    if (squared === 0) break
    for (let k = 0; k < x.length; k++) direction[k] = residual[k]! + (squared / before) * direction[k]!
  }
  return x
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!
  return sum
}
