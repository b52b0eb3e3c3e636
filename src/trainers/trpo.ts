/**
 * Trust region policy optimisation (arXiv 1502.05477): the natural gradient of the surrogate by conjugate gradients, scaled to a KL of delta
 * and shortened until the KL that the step has truly made is within delta and the surrogate has not fallen. Advantages are those of GRPO;
 * there is no learning rate and no optimiser.
 *
 * For models in f32 whose trained parameters fit memory some fifteen times over (adapters, small models): a step holds several vectors of them
 * in float64. The KL is that of the drawn tokens, whose k3 estimate is never below 0.
 */
import { z } from 'zod'
import { groupNormalised } from '../advantages/index.ts'
import { algorithm, asyncTrustRegionStep, batchLoss, tokenTotals } from '../losses/index.ts'
import { checkOptions } from './check-options.ts'
import { fisherProduct } from './fisher-product.ts'
import { parameterVector } from './parameter-vector.ts'
import { learnedOf } from './rollout-record.ts'
import { rolloutStage } from './rollout-stage.ts'
import { type RolloutStageOptions, refuseLoneAnswers, rolloutStageSchemas } from './rollout-stage-options.ts'
import { forwardRows, rowsExample, rowsLoss, temperatureOf } from './rows.ts'
import { samplerCheck } from './sampler-check.ts'
import type { StageReport } from './stage.ts'
import { idleUpdate } from './update-policy.ts'

export interface TrpoOptions<T> extends Omit<RolloutStageOptions<T>, 'optimizer' | 'reference'> {
  /** Largest mean KL of a step, in nats a token. Default 0.01. */
  delta?: number
  /** Added to the diagonal of the Fisher matrix. Default 0.1. */
  damping?: number
  /** Products with the Fisher matrix, each two forward passes and a backward one. Default 10. */
  cgIterations?: number
  /** Each trial is this much shorter than the one before. Default 0.8. */
  backtrackCoefficient?: number
  /** Trials before a step is given up. Default 10. */
  backtrackIterations?: number
}

const { optimizer: _optimizer, reference: _reference, ...shared } = rolloutStageSchemas
const number = z.number().optional()
const schemas = {
  ...shared,
  delta: number,
  damping: number,
  cgIterations: number,
  backtrackCoefficient: number,
  backtrackIterations: number,
}

/**
 * Trains a policy. Metrics: those of rollouts (docs/training.md), `loss` (minus the surrogate), `gradientNorm`, `stepKl` (0 where no trial was
 * accepted), `lossChange`, `acceptedStep` (-1: none), `samplerTrainerDifference`, `tokens`.
 * Errors: as `policyGradient`; a model that is not f32.
 */
export async function* trpo<T>(options: TrpoOptions<T>): AsyncGenerator<StageReport, void, void> {
  checkOptions<TrpoOptions<T>>('trpo', schemas, options)
  refuseLoneAnswers('trpo', options.groupSize)
  const { delta, damping, cgIterations, backtrackCoefficient, backtrackIterations, ...stage } = options
  const given = { delta, damping, cgIterations, backtrackCoefficient, backtrackIterations }
  const trustRegion = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const { model } = options.policy
  if (model.info.precision !== 'f32')
    throw new RangeError(
      `trpo: the model computes in ${model.info.precision}, whose rounding is larger than the steps it measures; load it with precision 'f32'`,
    )
  const parameters = await parameterVector(model)

  yield* rolloutStage(stage, {
    name: 'trpo',
    async update({ rows: drawn }) {
      const began = performance.now()
      const rewards = drawn.map(({ trajectory }) => trajectory.reward)
      const groups = drawn.map(({ group }) => group)
      const every = drawn.length > 0 ? [...groupNormalised({}, rewards, groups)] : []
      const rows = drawn.filter((_, index) => every[index] !== 0)
      if (rows.length === 0) return withoutStep()
      const advantages = every.filter((advantage) => advantage !== 0)

      const totals = tokenTotals(rows.map(({ mask }) => mask))
      const surrogate = algorithm('ppo').build({ clipLow: 1, clipHigh: Number.MAX_VALUE }, totals)
      const examples = rows.map((row, index) =>
        rowsExample([row], { advantages: [advantages[index]!], oldLogprobs: [row.samplerLogprobs] }),
      )
      const check = samplerCheck(new Set(rows))
      await parameters.read()
      const temperature = temperatureOf(rows)
      const report = await model.forwardBackward(examples, rowsLoss(surrogate, check.hear), { temperature })
      const gradient = await parameters.takeGradient()
      const evaluate = async (change: Float64Array) => {
        await parameters.move(change)
        const outputs = await forwardRows(model, rows)
        const { loss, metrics } = batchLoss(
          surrogate,
          examples.map(({ inner }) => inner),
          outputs.map((output) => [output]),
        )
        return { loss, kl: metrics.approxKlK3! }
      }
      const step = await asyncTrustRegionStep(trustRegion, {
        gradient,
        fisherProduct: fisherProduct(model, parameters, rows),
        evaluate,
      })
      await parameters.move(step.acceptedStep < 0 ? undefined : step.parameterChange)
      return {
        metrics: {
          loss: report.loss,
          gradientNorm: Math.sqrt(gradient.reduce((sum, x) => sum + x * x, 0)),
          stepKl: step.kl,
          lossChange: step.lossChange,
          acceptedStep: step.acceptedStep,
          tokens: report.tokens,
          ...check.metrics(),
        },
        seconds: { train: (performance.now() - began) / 1000 },
        learned: learnedOf(
          rows,
          advantages,
          rows.map(({ samplerLogprobs }) => samplerLogprobs),
        ),
      }
    },
  })
}

function withoutStep() {
  const { metrics, ...idle } = idleUpdate(0)
  return { ...idle, metrics: { ...metrics, stepKl: 0, lossChange: 0, acceptedStep: -1 } }
}
