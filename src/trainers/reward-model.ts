/**
 * A reward model from preferences (Bradley and Terry): a value head whose score of the better answer should be higher, by the
 * pair's margin where it has one. The score is read at the answer's last token.
 */
import { z } from 'zod'
import type { PreferencePair } from '../data/index.ts'
import type { Model } from '../engine/index.ts'
import { algorithm } from '../losses/index.ts'
import { batchPlan } from './batches.ts'
import { checkOptions } from './check-options.ts'
import { type EncodedPair, encodePairs, type PairOptions } from './encode-pairs.ts'
import { throughAnswer } from './marked-tokens.ts'
import { tokensOfExample } from './masked-examples.ts'
import { scoredExample, scoreWith } from './scores.ts'
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

export interface RewardModelOptions extends TrainingStageOptions, Partial<PairOptions> {
  /** With a value head: `await base.trainable({ full: true }, 'value')`. */
  model: TrainingStageOptions['model']
  pairs: readonly PreferencePair[]
  /** `centringCoefficient`: draws the two scores of a pair to a sum of 0 (docs/losses.md). Default 0. */
  loss?: { centringCoefficient?: number }
}

export const pairSchemas = {
  pairs: z
    .array(
      z.object({
        prompt: z.array(z.unknown()),
        chosen: z.array(z.unknown()),
        rejected: z.array(z.unknown()),
      }),
    )
    .min(1),
  maxTokens: z.int().min(2).optional(),
  overlong: z.enum(['drop', 'truncate', 'throw']).optional(),
}

const schemas = {
  ...trainingStageSchemas,
  ...pairSchemas,
  loss: z.record(z.string(), z.unknown()).optional(),
}

/**
 * Trains on preference pairs. Metrics of a step: `loss`, `accuracy` (share of pairs whose better answer scores higher), `margin`
 * (mean difference of the scores), `gradientNorm`, `learningRate`, `tokens`. Errors: as `encodePairs`; a model without a value head.
 */
export async function* rewardModel(options: RewardModelOptions): AsyncGenerator<StageReport, void, void> {
  checkOptions<RewardModelOptions>('reward-model', schemas, options)
  const { name = 'reward-model', model, optimizer, batch = defaultBatch, run, evaluate } = options
  const maxTokens = mostTokens('reward-model', options)
  const { pairs, notes } = encodePairs(model.tokenizer, options.pairs, { ...options, maxTokens })
  const rated = pairs.map(ratedPair)
  const plan = batchPlan(rated.map(tokensOfExample), batch, [seedOfStage(options), name, 'order'])
  const steps = plannedSteps(name, options, plan)
  yield* runStage({
    name,
    steps,
    state: { models: { [name]: model } },
    async step(index) {
      const examples = plan.at(index).map((pair) => rated[pair]!)
      const loss = algorithm('reward-bradley-terry').build(options.loss ?? {}, { pairs: examples.length })
      const training = { values: true }
      const outcome = await trainStep({ model, examples, loss, optimizer, step: index, steps, training })
      return { ...outcome, ...shownFirst(index, notes) }
    },
    ...(evaluate && { evaluate }),
    ...(run && { run }),
  })
}

/** A pair as the loss wants it: the better answer first, each up to the token where its score is read. */
export function ratedPair({ chosen, rejected, margin }: EncodedPair) {
  return { ...scoredExample([chosen, rejected].map(throughAnswer)), margin }
}

/**
 * How well a reward model ranks pairs that it does not train on: `accuracy`, the share whose better answer scores strictly higher,
 * and `margin`, the mean difference of the scores.
 */
export async function measureRanking(
  model: Pick<Model, 'forward' | 'tokenizer' | 'info'>,
  pairs: readonly PreferencePair[],
): Promise<{ accuracy: number; margin: number }> {
  const encoded = encodePairs(model.tokenizer, pairs, {
    maxTokens: model.info.context,
    overlong: 'truncate',
  }).pairs
  const scores = await scoreWith(
    model,
    encoded.flatMap(({ chosen, rejected }) => [throughAnswer(chosen), throughAnswer(rejected)]),
  )
  let [right, sum] = [0, 0]
  for (let pair = 0; pair < encoded.length; pair++) {
    const gap = scores[2 * pair]! - scores[2 * pair + 1]!
    if (gap > 0) right++
    sum += gap
  }
  return { accuracy: right / encoded.length, margin: sum / encoded.length }
}
