import { conjugateGradient, dot } from './conjugate-gradient.ts'
import { numberOption, type OptionsFor, readOptions } from './options.ts'

export const trustRegionOptions = {
  delta: numberOption('(0, inf)', 0.01, 'largest KL of a step, in nats'),
  damping: numberOption('[0, inf)', 0.1, 'added to the diagonal of the Fisher matrix; 0: as in the paper'),
  cgIterations: numberOption('[1, inf)', 10, 'products with the Fisher matrix'),
  backtrackCoefficient: numberOption(
    '(0, 1)',
    0.8,
    'each trial step is this much shorter than the one before',
  ),
  backtrackIterations: numberOption('[1, inf)', 10, 'trial steps before the update is given up'),
  epsilon: numberOption('[0, inf)', 1e-8, 'added to divisors'),
}

export interface TrustRegionProblem {
  /** Gradient of the loss (minus the surrogate) at the present parameters. Shape: [N]. */
  gradient: Float64Array
  /** Fisher matrix times a vector, [N] -> [N]. */
  fisherProduct(vector: Float64Array): Float64Array
  /** KL(old || new) and the loss after a change of the parameters, [N]. */
  evaluate(change: Float64Array): { kl: number; loss: number }
}

/**
 * One step of trust region policy optimisation (arXiv 1502.05477): the natural gradient by conjugate gradients, scaled to a KL
 * of delta, shortened until the true KL is within delta and the loss has not risen.
 *
 * Formula: x = CG(H + damping*I, g); scale = sqrt(2*delta / (x.(H + damping*I)x + epsilon)); try -scale*c^j*x, j = 0, 1, ...
 *
 * @returns acceptedStep j, or -1 and no change when no trial is accepted
 */
export function trustRegionStep(given: OptionsFor<typeof trustRegionOptions>, problem: TrustRegionProblem) {
  const options = readOptions('trpo', trustRegionOptions, given)
  const { delta, damping, cgIterations, backtrackCoefficient, backtrackIterations, epsilon } = options
  const { gradient, fisherProduct, evaluate } = problem
  if (!gradient.every(Number.isFinite))
    throw new Error('trpo: the gradient holds a number that is not finite')
  const damped = (vector: Float64Array) =>
    fisherProduct(vector).map((value, k) => value + damping * vector[k]!)
  const direction = conjugateGradient(damped, gradient, cgIterations, epsilon)
  const product = damped(direction)
  const quadraticForm = dot(direction, product)
  if (!(quadraticForm >= 0)) {
    throw new Error(
      `trpo: x.Hx is ${quadraticForm}; the Fisher matrix must be positive semidefinite: raise damping`,
    )
  }
  const scale = Math.sqrt((2 * delta) / (quadraticForm + epsilon))
  const residual = product.map((value, k) => value - gradient[k]!)
  const found = { direction, quadraticForm, scale, residualNorm: Math.sqrt(dot(residual, residual)) }

  const before = evaluate(new Float64Array(gradient.length)).loss
  for (let j = 0; j < backtrackIterations; j++) {
    const length = scale * backtrackCoefficient ** j
    const parameterChange = direction.map((value) => -length * value)
    const { kl, loss } = evaluate(parameterChange)
    if (kl <= delta && loss <= before) {
      return { ...found, acceptedStep: j, parameterChange, kl, lossChange: loss - before }
    }
  }
  return {
    ...found,
    acceptedStep: -1,
    parameterChange: new Float64Array(gradient.length),
    kl: 0,
    lossChange: 0,
  }
}
