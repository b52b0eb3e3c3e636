import type { TrainableModel } from '../engine/index.ts'
import { type PolicyExample, type PureLoss, type TokenTotals, tokenTotals } from '../losses/index.ts'
import { combineUpdates, minibatchesOf, type Passes } from './minibatches.ts'
import { type OptimizerOptions, optimizerStep } from './optimizer.ts'
import { type Row, rowsExample, rowsLoss, temperatureOf } from './rows.ts'
import { samplerCheck } from './sampler-check.ts'
import { type TrainStepOutcome, trainStep } from './train-step.ts'

export interface PolicyUpdate {
  model: TrainableModel
  rows: readonly Row[]
  /** Rows drawn by the model as it is. Their log-probabilities must come out equal in the first update. Default: all. */
  fresh?: readonly Row[]
  /** One number a row, or one a token. */
  advantages: readonly (number | Float32Array | Float64Array)[]
  /** Log-probabilities at the start of the step. [T] a row. */
  oldLogprobs: readonly Float32Array[]
  /** Where the loss has a KL term. [T] a row. */
  referenceLogprobs?: readonly Float32Array[] | undefined
  importanceWeights?: readonly Float64Array[] | undefined
  /** The loss of an update, by the totals of its rows. */
  loss(totals: TokenTotals): PureLoss<PolicyExample>
  optimizer: OptimizerOptions
  step: number
  steps: number
  passes: Passes
  /** Parts of the seed of which rows come together. */
  seed: readonly (string | number)[]
  /** Whether the loss reads the policy's entropy. */
  entropy?: boolean
}

/**
 * The updates of a step: `epochs` times `minibatches` of them, each on the mean over its own rows. A row whose advantage is 0 counts in the
 * means and, where the loss has no KL term, does not go through the model, since it has no gradient. Where no row has one, no weight
 * changes, and a warning says so.
 */
export async function updatePolicy(
  update: PolicyUpdate,
): Promise<TrainStepOutcome & { warnings?: string[] }> {
  const { model, rows, advantages, oldLogprobs, referenceLogprobs, importanceWeights, optimizer } = update
  const { step, steps, fresh = rows, entropy = false } = update
  const check = samplerCheck(new Set(fresh))
  const everyRow = referenceLogprobs !== undefined || entropy
  const outcomes: TrainStepOutcome[] = []
  for (const part of minibatchesOf(rows.length, update.passes, [...update.seed, step])) {
    const loss = update.loss(tokenTotals(part.map((index) => rows[index]!.mask)))
    const trained = part.filter((index) => everyRow || pulls(advantages[index]!))
    if (trained.length === 0) continue
    const examples = trained.map((index) =>
      rowsExample([rows[index]!], {
        advantages: [advantages[index]!],
        oldLogprobs: [oldLogprobs[index]!],
        ...(referenceLogprobs && { referenceLogprobs: [referenceLogprobs[index]!] }),
        ...(importanceWeights && { importanceWeights: [importanceWeights[index]!] }),
      }),
    )
    const training = { temperature: temperatureOf(rows), entropy }
    outcomes.push(
      await trainStep({
        model,
        examples,
        loss: rowsLoss(loss, check.hear),
        optimizer,
        step,
        steps,
        training,
      }),
    )
    check.updated()
  }
  if (outcomes.length === 0) return idleUpdate(optimizerStep(optimizer, step, steps).learningRate)
  const { metrics, seconds } = combineUpdates(outcomes)
  return { metrics: { ...metrics, ...check.metrics() }, seconds }
}

/** A step in which there is nothing to learn. */
export function idleUpdate(learningRate: number): TrainStepOutcome & { warnings: string[] } {
  return {
    metrics: { loss: 0, gradientNorm: 0, learningRate, tokens: 0 },
    seconds: { forwardBackward: 0, optimStep: 0 },
    warnings: [
      'no answer of this step was better or worse than those it is compared with, so nothing was learnt',
    ],
  }
}

function pulls(advantage: number | Float32Array | Float64Array): boolean {
  return typeof advantage === 'number' ? advantage !== 0 : advantage.some((value) => value !== 0)
}
