/**
 * Distillation by accepted samples: a stronger model answers, a judge keeps what is good, the student learns it by cross-entropy
 * (rejection sampling fine-tuning, arXiv 2308.01825). The teacher may be the student itself, as it was.
 *
 * Where both have one tokenizer and chat template, the student learns the very tokens that the teacher drew. What was accepted is kept in
 * the run, so that a stage that goes on samples and judges nothing again.
 */
import { z } from 'zod'
import type { Model } from '../engine/index.ts'
import { collectLimits } from '../rollouts/index.ts'
import { aFunction, checkOptions, having } from './check-options.ts'
import type { AcceptedAnswer, CollectOptions } from './collect-accepted.ts'
import { collectOnce } from './collect-once.ts'
import { encodeMessages } from './encode-messages.ts'
import type { Conversation } from './marked-tokens.ts'
import { exampleOfTokens } from './masked-examples.ts'
import { type SftOptions, trainOnAnswers } from './sft.ts'
import type { StageReport } from './stage.ts'
import { seedOfStage, type TrainingStageOptions, trainingStageSchemas } from './training-options.ts'

export interface DistillOptions<T extends Conversation>
  extends TrainingStageOptions,
    Omit<CollectOptions<T>, 'seed'> {
  loss?: SftOptions['loss']
}

const count = z.int().min(1).optional()
const schemas = {
  ...trainingStageSchemas,
  teacher: having('sample', 'a model to sample from'),
  prompts: z.array(z.object({ messages: z.array(z.unknown()).min(1) })).min(1),
  judge: aFunction(),
  onProgress: aFunction().optional(),
  samplesPerPrompt: z.int().min(1).max(collectLimits.groupSize).optional(),
  keepPerPrompt: count,
  maxTokens: count,
  temperature: z.number().min(0).optional(),
  loss: z.record(z.string(), z.unknown()).optional(),
}

/**
 * Collects, then trains. Metrics are those of `sft`; the first report shows what was accepted (`rollouts`) and how much was not
 * (`warnings`). Errors: nothing accepted; as `sft`.
 */
export async function* distill<T extends Conversation>(
  options: DistillOptions<T>,
): AsyncGenerator<StageReport, void, void> {
  checkOptions<DistillOptions<T>>('distill', schemas, options)
  const { name = 'distill', model, teacher, loss, run } = options
  const { accepted, counts } = await collectOnce(name, run, { ...options, seed: seedOfStage(options) })
  const summary = `${counts.accepted} of ${counts.sampled} samples accepted (${counts.truncated} truncated, ${counts.duplicates} duplicates)`
  if (accepted.length === 0) throw new RangeError(`distill: ${summary}; there is nothing to learn from`)
  const without = `${counts.promptsWithout} of ${options.prompts.length} prompts without an accepted one`
  const rows = sameText(model, teacher)
    ? accepted.map(({ tokens, mask }) => exampleOfTokens(tokens, mask))
    : rowsOfMessages(model, accepted)
  yield* trainOnAnswers({ name: 'distill', ...options }, rows, loss, {
    warnings: counts.promptsWithout > 0 ? [`${summary}, ${without}`] : [],
    rollouts: accepted.map(({ messages }) => ({ messages })),
  })
}

function sameText(a: Pick<Model, 'tokenizer'>, b: Pick<Model, 'tokenizer'>): boolean {
  const [one, other] = [a.tokenizer, b.tokenizer]
  return one === other || (one.chatTemplate === other.chatTemplate && one.toJson() === other.toJson())
}

function rowsOfMessages<T extends Conversation>(model: Model, accepted: readonly AcceptedAnswer<T>[]) {
  const conversations = accepted.map(({ messages, prompt }) => ({
    messages,
    ...(prompt.tools && { tools: [...prompt.tools] }),
  }))
  return encodeMessages(model.tokenizer, conversations, {
    maxTokens: model.info.context,
    answers: 'last',
    overlong: 'throw',
  }).examples
}
