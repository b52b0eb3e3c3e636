import { checkOptions, checkSequences, type SequenceLimits } from './check-sequences.ts'
import type { Example, Loss, LossResult, TokenOutputs } from './contract.ts'
import { EngineError } from './engine-error.ts'
import { flattenGradients, flattenSequences, splitOutputs } from './flatten.ts'
import type { BatchReport, TrainingOptions } from './model.ts'
import type { NativeModel } from './native-model.ts'
import { shown } from './shown.ts'

/**
 * Runs examples through a model in micro-batches of as many as fit its memory: forward, the loss of each, backward. Adds
 * to the gradients. What is wrong with the arguments is found before anything runs and leaves the gradients as they were. When the loss
 * throws or gives what is not finite, gradients are cleared, so that no half batch stays.
 */
export async function forwardBackward<E extends Example>(
  model: NativeModel,
  limits: SequenceLimits,
  examples: readonly E[],
  loss: Loss<E>,
  options: TrainingOptions,
): Promise<BatchReport> {
  checkArguments(limits, examples, loss, options)
  const report: BatchReport = { loss: 0, metrics: {}, tokens: 0, microBatches: 0, sampledMicroBatches: 0 }
  const ran = { once: false }
  try {
    for (let first = 0; first < examples.length; ) {
      const rest = examples.slice(first)
      const fit = await fitting(model, rest, options)
      const batch = rest.slice(0, fit.examples)
      await runMicroBatch(model, batch, loss, options, options.recompute ?? fit.recompute, report, ran)
      report.microBatches++
      first += batch.length
    }
  } catch (error) {
    await model.discard(ran.once)
    throw error
  }
  return report
}

function checkArguments(
  limits: SequenceLimits,
  examples: readonly Example[],
  loss: unknown,
  options: TrainingOptions,
): void {
  if (!Array.isArray(examples))
    throw new EngineError(`forwardBackward: examples is ${shown(examples)}; it must be an array`)
  if (typeof loss !== 'function')
    throw new EngineError(`forwardBackward: the loss is ${shown(loss)}; it must be a function`)
  checkOptions('forwardBackward', options)
  for (let index = 0; index < examples.length; index++) {
    const sequences = examples[index]?.sequences
    checkSequences(sequences, limits, `example ${index}: `)
    if (sequences?.length === 0)
      throw new EngineError(
        `example ${index} has no sequences, so there is nothing to train on; leave it out`,
      )
  }
}

/** Examples beyond this many tokens never fit one micro-batch together, so they are not planned either. */
const PLANNED_TOKENS = 65_536

async function fitting(model: NativeModel, examples: readonly Example[], options: TrainingOptions) {
  let tokens = 0
  const within = examples.findIndex(({ sequences }) => {
    tokens += sequences.reduce((sum, { input }) => sum + input.length, 0)
    return tokens > PLANNED_TOKENS
  })
  const planned = examples.slice(0, within < 0 ? examples.length : Math.max(within, 1))
  const inputs = flattenSequences(
    planned.flatMap((example) => example.sequences),
    options,
  )
  const counts = Uint32Array.from(planned, (example) => example.sequences.length)
  return model.fitting(inputs, counts, options.recompute)
}

async function runMicroBatch<E extends Example>(
  model: NativeModel,
  examples: readonly E[],
  loss: Loss<E>,
  options: TrainingOptions,
  recompute: boolean,
  report: BatchReport,
  ran: { once: boolean },
): Promise<void> {
  const inputs = flattenSequences(
    examples.flatMap((example) => example.sequences),
    options,
  )
  const said = await model.forwardKeep(inputs, recompute)
  const outputs = splitOutputs(said, inputs.lengths)
  ran.once = true
  if (said.sampled) report.sampledMicroBatches++
  const gradients: TokenOutputs[] = []
  let at = 0
  for (const example of examples) {
    const own = outputs.slice(at, at + example.sequences.length)
    at += own.length
    const result = checkedResult(loss(example, own), own.length)
    report.loss += result.loss
    report.tokens += own.reduce((sum, { logprobs }) => sum + logprobs.length, 0)
    addMetrics(report.metrics, result.metrics)
    gradients.push(...result.gradients)
  }
  await model.backward(flattenGradients(gradients, inputs.lengths), inputs.lengths)
}

function checkedResult(result: LossResult, sequences: number): LossResult {
  const { loss, gradients, metrics } = (result ?? {}) as Partial<LossResult>
  if (
    typeof loss !== 'number' ||
    !Array.isArray(gradients) ||
    typeof metrics !== 'object' ||
    metrics === null
  )
    throw new EngineError(
      `the loss gave ${shown(result)}; it must give { loss, gradients, metrics } at once, not a promise of them`,
    )
  if (!Number.isFinite(loss))
    throw new EngineError(`the loss of an example is ${loss}; the batch's gradients were cleared`)
  if (gradients.length !== sequences)
    throw new EngineError(`the loss gave ${gradients.length} gradients for ${sequences} sequences`)
  return result
}

function addMetrics(total: Record<string, number>, metrics: Record<string, number>): void {
  for (const [name, value] of Object.entries(metrics)) {
    const before = total[name]
    if (before === undefined) total[name] = value
    else if (name.endsWith('Min')) total[name] = Math.min(before, value)
    else if (name.endsWith('Max')) total[name] = Math.max(before, value)
    else total[name] = before + value
  }
}
