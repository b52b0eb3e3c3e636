import type { Example, Loss, TokenOutputs } from './contract.ts'
import { EngineError } from './engine-error.ts'
import { flattenGradients, flattenSequences, splitOutputs } from './flatten.ts'
import type { BatchReport, TrainingOptions } from './model.ts'
import type { NativeModel } from './native-model.ts'

/**
 * Runs examples through a model in micro-batches of as many as fit its memory: forward, the loss of each, backward. Adds
 * to the gradients. When the loss throws or gives what is not finite, gradients are cleared, so that no half batch stays.
 */
export async function forwardBackward<E extends Example>(
  model: NativeModel,
  examples: readonly E[],
  loss: Loss<E>,
  options: TrainingOptions,
): Promise<BatchReport> {
  const report: BatchReport = { loss: 0, metrics: {}, tokens: 0, microBatches: 0 }
  try {
    for (let first = 0; first < examples.length; ) {
      const rest = examples.slice(first)
      const fit = await fitting(model, rest, options)
      const batch = rest.slice(0, fit.examples)
      await runMicroBatch(model, batch, loss, options, options.recompute ?? fit.recompute, report)
      report.microBatches++
      first += batch.length
    }
  } catch (error) {
    await model.discard(true)
    throw error
  }
  return report
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
  return model.fitting(
    inputs,
    Uint32Array.from(planned, (example) => example.sequences.length),
  )
}

async function runMicroBatch<E extends Example>(
  model: NativeModel,
  examples: readonly E[],
  loss: Loss<E>,
  options: TrainingOptions,
  recompute: boolean,
  report: BatchReport,
): Promise<void> {
  const inputs = flattenSequences(
    examples.flatMap((example) => example.sequences),
    options,
  )
  const outputs = splitOutputs(await model.forwardKeep(inputs, recompute), inputs.lengths)
  const gradients: TokenOutputs[] = []
  let at = 0
  for (const example of examples) {
    const own = outputs.slice(at, at + example.sequences.length)
    at += own.length
    const result = loss(example, own)
    if (!Number.isFinite(result.loss))
      throw new EngineError(`the loss of an example is ${result.loss}; the batch's gradients were cleared`)
    if (result.gradients.length !== own.length)
      throw new EngineError(`the loss gave ${result.gradients.length} gradients for ${own.length} sequences`)
    report.loss += result.loss
    report.tokens += own.reduce((sum, { logprobs }) => sum + logprobs.length, 0)
    addMetrics(report.metrics, result.metrics)
    gradients.push(...result.gradients)
  }
  await model.backward(flattenGradients(gradients, inputs.lengths), inputs.lengths)
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
