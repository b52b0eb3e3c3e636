import type { BatchReport, Example, Loss, TrainableModel, TrainingOptions } from '../engine/index.ts'
import { combineMetrics } from '../losses/index.ts'
import { type OptimizerOptions, optimizerStep } from './optimizer.ts'

export interface TrainStep<E extends Example> {
  model: TrainableModel
  /** The whole batch; its order is that in which losses and metrics add up. At least one. */
  examples: readonly E[]
  /** Built with the totals of the whole batch, so that its parts add up to it. */
  loss: Loss<E>
  optimizer: OptimizerOptions
  /** From 0, below `steps`: where the schedule stands. */
  step: number
  steps: number
  /** Entropy, values, temperature: what the loss asks of the model. */
  training?: TrainingOptions
}

export interface TrainStepOutcome {
  /** `loss`, the loss's own metrics, `gradientNorm` before clipping, `learningRate`, `tokens` that went through the model. */
  metrics: Record<string, number>
  /** `forwardBackward`, `optimStep`. */
  seconds: { forwardBackward: number; optimStep: number }
}

/** One step of an optimiser on one batch: gradients of the batch, in as many parts as asked for, then the step. */
export async function trainStep<E extends Example>(options: TrainStep<E>): Promise<TrainStepOutcome> {
  const { model, optimizer, step, steps } = options
  const began = performance.now()
  const report = await accumulateGradients(options)
  const between = performance.now()
  const settings = optimizerStep(optimizer, step, steps)
  const { gradientNorm } = await model.optimStep(settings)
  const ended = performance.now()
  const { loss, metrics, tokens } = report
  return {
    metrics: { loss, ...metrics, gradientNorm, learningRate: settings.learningRate, tokens },
    seconds: { forwardBackward: (between - began) / 1000, optimStep: (ended - between) / 1000 },
  }
}

/** How fast a step of a trainer on examples went: tokens through the model, over the time of its passes and its optimiser. */
export function tokensPerSecond({
  metrics,
  seconds,
}: {
  metrics: Record<string, number>
  seconds: Record<string, number>
}): number {
  return (metrics.tokens ?? 0) / ((seconds.forwardBackward ?? 0) + (seconds.optimStep ?? 0))
}

/** Adds a batch's gradients to those of the model, in `optimizer.accumulation` parts of whole examples. */
export async function accumulateGradients<E extends Example>(
  options: Pick<TrainStep<E>, 'model' | 'examples' | 'loss' | 'training'> & {
    optimizer: Pick<OptimizerOptions, 'accumulation'>
  },
): Promise<BatchReport> {
  const { model, examples, loss, training = {} } = options
  if (examples.length === 0)
    throw new RangeError('there is no example in the batch, so there is nothing to train on')
  const parts = Math.min(options.optimizer.accumulation ?? 1, examples.length)
  const reports: BatchReport[] = []
  for (let part = 0; part < parts; part++) {
    const [from, to] = [part, part + 1].map((edge) => Math.floor((edge * examples.length) / parts))
    reports.push(await model.forwardBackward(examples.slice(from, to), loss, training))
  }
  const sum = (of: (report: BatchReport) => number) =>
    reports.reduce((total, report) => total + of(report), 0)
  return {
    loss: sum((report) => report.loss),
    metrics: combineMetrics(reports.map((report) => report.metrics)),
    tokens: sum((report) => report.tokens),
    microBatches: sum((report) => report.microBatches),
    sampledMicroBatches: sum((report) => report.sampledMicroBatches),
  }
}
