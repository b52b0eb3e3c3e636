import { conjugateGradientSteps, dot } from './conjugate-gradient.ts'
import { type MayWait, runAtOnce, runWaiting, waited } from './may-wait.ts'
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

/** The same where a model must be asked. */
export interface AsyncTrustRegionProblem {
  gradient: Float64Array
  fisherProduct(vector: Float64Array): Promise<Float64Array>
  evaluate(change: Float64Array): Promise<{ kl: number; loss: number }>
}

type Options = OptionsFor<typeof trustRegionOptions>

/**
 * One step of trust region policy optimisation (arXiv 1502.05477): the natural gradient by conjugate gradients, scaled to a KL
 * of delta, shortened until the true KL is within delta and the loss has not risen.
 *
 * Formula: x = CG(H + damping*I, g); scale = sqrt(2*delta / (x.(H + damping*I)x + epsilon)); try -scale*c^j*x, j = 0, 1, ...
 *
 * @returns acceptedStep j, or -1 and no change when no trial is accepted
 */
export function trustRegionStep(given: Options, problem: TrustRegionProblem) {
  return runAtOnce(trustRegionSteps(given, problem))
}

/** `trustRegionStep` on a model that is asked for products and trials, one after another. */
export function asyncTrustRegionStep(given: Options, problem: AsyncTrustRegionProblem) {
  return runWaiting(trustRegionSteps(given, problem))
}

type Result = {
  direction: Float64Array
  quadraticForm: number
  scale: number
  residualNorm: number
  acceptedStep: number
  parameterChange: Float64Array
  kl: number
  lossChange: number
}

function* trustRegionSteps(
  given: Options,
  problem: TrustRegionProblem | AsyncTrustRegionProblem,
): MayWait<Result> {
  const options = readOptions('trpo', trustRegionOptions, given)
  const { delta, damping, cgIterations, backtrackCoefficient, backtrackIterations, epsilon } = options
  const { gradient, fisherProduct, evaluate } = problem
  if (!gradient.every(Number.isFinite))
    throw new Error('trpo: the gradient holds a number that is not finite')
  const withDamping = (product: Float64Array, vector: Float64Array) =>
    product.map((value, k) => value + damping * vector[k]!)
  const damped = (vector: Float64Array) => {
    const product = fisherProduct(vector)
    return product instanceof Float64Array
      ? withDamping(product, vector)
      : product.then((arrived) => withDamping(arrived, vector))
  }
  const direction = yield* conjugateGradientSteps(damped, gradient, cgIterations, epsilon)
  const product = yield* waited(damped(direction))
  const quadraticForm = dot(direction, product)
  if (!(quadraticForm >= 0)) {
    throw new Error(
      `trpo: x.Hx is ${quadraticForm}; the Fisher matrix must be positive semidefinite: raise damping`,
    )
  }
  const scale = Math.sqrt((2 * delta) / (quadraticForm + epsilon))
  const residual = product.map((value, k) => value - gradient[k]!)
  const found = { direction, quadraticForm, scale, residualNorm: Math.sqrt(dot(residual, residual)) }

  const { loss: before } = yield* waited(evaluate(new Float64Array(gradient.length)))
  for (let j = 0; j < backtrackIterations; j++) {
    const length = scale * backtrackCoefficient ** j
    const parameterChange = direction.map((value) => -length * value)
    const { kl, loss } = yield* waited(evaluate(parameterChange))
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
