import type { TrainableModel } from '../engine/index.ts'
import { tokenTotals, type ValueExample, valueLoss } from '../losses/index.ts'
import { combineUpdates, minibatchesOf, type Passes } from './minibatches.ts'
import type { OptimizerOptions } from './optimizer.ts'
import { type Row, rowsExample, rowsLoss, temperatureOf } from './rows.ts'
import { type TrainStepOutcome, trainStep } from './train-step.ts'

export interface CriticUpdate {
  critic: TrainableModel
  rows: readonly Row[]
  /** At the start of the step. [T] a row. */
  oldValues: readonly Float32Array[]
  /** What values should have been. [T] a row. */
  returns: readonly Float64Array[]
  clip: number | null
  optimizer: OptimizerOptions
  step: number
  steps: number
  passes: Passes
  seed: readonly (string | number)[]
}

/** The critic's updates of a step, over the same minibatches as the policy's: `valueLoss`, `valueClipFraction`, `criticGradientNorm`. */
export async function updateCritic(update: CriticUpdate) {
  const { critic: model, rows, oldValues, returns, clip, optimizer, step, steps } = update
  const began = performance.now()
  const outcomes: TrainStepOutcome[] = []
  for (const part of minibatchesOf(rows.length, update.passes, [...update.seed, step])) {
    const loss = valueLoss({ clip }, tokenTotals(part.map((index) => rows[index]!.mask)))
    const examples = part.map((index) =>
      rowsExample([rows[index]!], { oldValues: [oldValues[index]!], returns: [returns[index]!] }),
    )
    const training = { temperature: temperatureOf(rows), values: true }
    outcomes.push(
      await trainStep({
        model,
        examples,
        loss: rowsLoss<ValueExample>(loss),
        optimizer,
        step,
        steps,
        training,
      }),
    )
  }
  const { metrics } = combineUpdates(outcomes)
  return {
    metrics: {
      valueLoss: metrics.valueLoss!,
      valueClipFraction: metrics.valueClipFraction!,
      criticGradientNorm: metrics.gradientNorm!,
    },
    seconds: (performance.now() - began) / 1000,
  }
}
