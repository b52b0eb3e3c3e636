/**
 * A process reward model: is each step of a solution right? A value head is asked at the last token of each step (arXiv 2305.20050).
 */
import { z } from 'zod'
import type { StepSolution } from '../data/index.ts'
import { algorithm } from '../losses/index.ts'
import { batchPlan } from './batches.ts'
import { checkOptions } from './check-options.ts'
import { encodeSteps } from './encode-steps.ts'
import { tokensOfExample } from './masked-examples.ts'
import { askForValue } from './scores.ts'
import { runStage, type StageReport } from './stage.ts'
import { trainStep } from './train-step.ts'
import {
  defaultBatch,
  mostTokens,
  plannedSteps,
  seedOfStage,
  shownFirst,
  type TrainingStageOptions,
  trainingStageSchemas,
} from './training-options.ts'

export interface ProcessRewardOptions extends TrainingStageOptions {
  /** With a value head: `await base.trainable({ full: true }, 'value')`. */
  model: TrainingStageOptions['model']
  solutions: readonly StepSolution[]
  /** What stands between two steps. Default a blank line. */
  separator?: string
  /** Most tokens of a prompt with its steps; longer solutions are left out and counted. Default: the model's context. */
  maxTokens?: number
}

const schemas = {
  ...trainingStageSchemas,
  solutions: z
    .array(
      z.object({ prompt: z.array(z.unknown()), steps: z.array(z.string()), labels: z.array(z.boolean()) }),
    )
    .min(1),
  separator: z.string().min(1).optional(),
  maxTokens: z.int().min(2).optional(),
}

/**
 * Trains on solutions with judged steps. Metrics of a step: `loss`, `accuracy` (share of steps judged right), `gradientNorm`,
 * `learningRate`, `tokens`. Errors: labels that do not match the steps; a model without a value head.
 */
export async function* processReward(options: ProcessRewardOptions): AsyncGenerator<StageReport, void, void> {
  checkOptions<ProcessRewardOptions>('process-reward', schemas, options)
  const { name = 'process-reward', model, optimizer, batch = defaultBatch, run, evaluate } = options
  const { labelled, notes } = labelledSolutions(options)
  const plan = batchPlan(labelled.map(tokensOfExample), batch, [seedOfStage(options), name, 'order'])
  const steps = plannedSteps(name, options, plan)
  yield* runStage({
    name,
    steps,
    state: { models: { [name]: model } },
    async step(index) {
      const examples = plan.at(index).map((solution) => labelled[solution]!)
      const labelledTokens = examples.reduce((sum, { ends }) => sum + ends.length, 0)
      const loss = algorithm('process-reward').build({}, { labelledTokens })
      const training = { values: true }
      const outcome = await trainStep({ model, examples, loss, optimizer, step: index, steps, training })
      return { ...outcome, ...shownFirst(index, notes) }
    },
    ...(evaluate && { evaluate }),
    ...(run && { run }),
  })
}

function labelledSolutions(options: ProcessRewardOptions) {
  const { model, solutions, separator } = options
  const maxTokens = mostTokens('process-reward', options)
  const encoded = solutions.map((solution, index) => labelledSolution(model, solution, index, separator))
  const labelled = encoded.filter((example) => tokensOfExample(example) <= maxTokens)
  const dropped = encoded.length - labelled.length
  if (labelled.length === 0)
    throw new RangeError(`process-reward: each of ${dropped} solutions is longer than ${maxTokens} tokens`)
  const notes =
    dropped > 0 ? [`${dropped} of ${encoded.length} solutions left out: longer than ${maxTokens} tokens`] : []
  return { labelled, notes }
}

function labelledSolution(
  { tokenizer }: ProcessRewardOptions['model'],
  solution: StepSolution,
  index: number,
  separator: string | undefined,
) {
  if (solution.steps.length !== solution.labels.length)
    throw new RangeError(
      `process-reward: solution ${index} has ${solution.steps.length} steps and ${solution.labels.length} labels`,
    )
  const { tokens, ends } = encodeSteps(tokenizer, solution, separator)
  const labels = new Int8Array(tokens.length).fill(-100)
  for (const [step, end] of ends.entries()) labels[end] = solution.labels[step] ? 1 : 0
  return { sequences: [askedAt(tokens, ends)], labels: [labels], ends }
}

/** A row whose values are read at some of its tokens. */
export function askedAt(tokens: Int32Array, places: readonly number[]) {
  const target = new Int32Array(tokens.length).fill(-1)
  for (const place of places) target[place] = askForValue
  return { input: tokens, target }
}
