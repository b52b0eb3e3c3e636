/**
 * Supervised fine-tuning on conversations: cross-entropy of the assistant's tokens alone, over all turns, tool calls included.
 *
 * Rows are never padded and never see each other, so packing is a matter of the batch: `{ tokens: n }` fills a step.
 */
import { z } from 'zod'
import type { MessagesExample } from '../data/index.ts'
import { algorithm, type MaskedExample, tokenTotals } from '../losses/index.ts'
import { batchPlan } from './batches.ts'
import { checkOptions } from './check-options.ts'
import { encodeMessages, type MessagesOptions } from './encode-messages.ts'
import { tokensOfExample } from './masked-examples.ts'
import { runStage, type StageReport, type StepOutcome } from './stage.ts'
import { trainStep } from './train-step.ts'
import {
  defaultBatch,
  mostTokens,
  plannedSteps,
  seedOfStage,
  type TrainingStageOptions,
  trainingStageSchemas,
} from './training-options.ts'

type SftLoss = Parameters<ReturnType<typeof algorithm<'sft'>>['build']>[0]

export interface SftOptions extends TrainingStageOptions, Partial<MessagesOptions> {
  examples: readonly MessagesExample[]
  /** How tokens add up: `aggregation`, `constant` (docs/losses.md). Default: mean over the batch's tokens. */
  loss?: SftLoss
}

export const messagesSchemas = {
  maxTokens: z.int().min(2).optional(),
  overlong: z.enum(['drop', 'truncate', 'throw']).optional(),
  untrainable: z.enum(['throw', 'drop']).optional(),
  answers: z.enum(['all', 'last', 'each']).optional(),
  templateOptions: z.record(z.string(), z.unknown()).optional(),
}

const schemas = {
  ...trainingStageSchemas,
  ...messagesSchemas,
  examples: z.array(z.object({ messages: z.array(z.object({ role: z.string() })) })).min(1),
  loss: z.record(z.string(), z.unknown()).optional(),
}

/**
 * Trains on conversations. Metrics of a step: `loss`, `nll` (mean of -log p of the batch's answers, in nats a token),
 * `gradientNorm`, `learningRate`, `tokens`. What was cut or left out is among the first step's warnings.
 * Errors: as `encodeMessages`; options that do not fit.
 */
export async function* sft(options: SftOptions): AsyncGenerator<StageReport, void, void> {
  checkOptions<SftOptions>('sft', schemas, options)
  const { model, examples, loss, ...rest } = options
  const maxTokens = mostTokens('sft', options)
  const encoded = encodeMessages(model.tokenizer, examples, { ...rest, maxTokens })
  const first = { warnings: encoded.notes }
  yield* trainOnAnswers({ name: 'sft', ...rest, model }, encoded.examples, loss, first)
}

/**
 * Cross-entropy on rows whose trained tokens are marked: what `sft` and `distill` share.
 *
 * @param first what the report of the first step shows besides
 */
export async function* trainOnAnswers(
  options: TrainingStageOptions & { name: string },
  rows: readonly MaskedExample[],
  lossOptions: SftLoss = {},
  first: Pick<StepOutcome, 'warnings' | 'rollouts'> = {},
): AsyncGenerator<StageReport, void, void> {
  const { name, model, optimizer, batch = defaultBatch, run, evaluate } = options
  const plan = batchPlan(rows.map(tokensOfExample), batch, [seedOfStage(options), name, 'order'])
  const steps = plannedSteps(name, options, plan)
  yield* runStage({
    name,
    steps,
    state: { models: { [name]: model } },
    async step(index) {
      const examples = plan.at(index).map((row) => rows[row]!)
      const totals = tokenTotals(examples.flatMap(({ masks }) => masks))
      const loss = algorithm('sft').build(lossOptions, totals)
      const outcome = await trainStep({ model, examples, loss, optimizer, step: index, steps })
      return { ...outcome, ...(index === 0 && first) }
    },
    ...(evaluate && { evaluate }),
    ...(run && { run }),
  })
}
