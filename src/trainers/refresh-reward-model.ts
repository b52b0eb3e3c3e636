/**
 * Goes on training a reward model on what the policy says now: two answers to each prompt, compared by a judge. A reward model is
 * right about answers like those it was trained on, and a policy moves away from them.
 */
import { z } from 'zod'
import { type PreferencePair, seededRandom, seedOf } from '../data/index.ts'
import type { Model, Sample } from '../engine/index.ts'
import { algorithm } from '../losses/index.ts'
import { shuffled } from './batches.ts'
import { aFunction, checkOptions, having } from './check-options.ts'
import { encodePairs } from './encode-pairs.ts'
import { type Conversation, markSampled } from './marked-tokens.ts'
import { pairSchemas, type RewardModelOptions, ratedPair } from './reward-model.ts'
import { refuseOtherTokens } from './same-tokens.ts'
import { type SamplingOptions, sampleAnswers } from './sample-answers.ts'
import { runStage, type StageReport, type StepOutcome } from './stage.ts'
import { trainStep } from './train-step.ts'
import { seedOfStage, type TrainingStageOptions, trainingStageSchemas } from './training-options.ts'

export interface Comparison {
  prompt: Conversation
  answers: readonly [string, string]
}

/**
 * By how much the first answer is better, below 0 where the second is; 0 says nothing about the pair, which is left out. A size other
 * than 1 counts as the pair's margin only with `margins`.
 */
export type Judge = (comparison: Comparison) => number | Promise<number>

export interface RefreshRewardModelOptions
  extends Pick<TrainingStageOptions, 'name' | 'model' | 'optimizer' | 'evaluate' | 'run' | 'seed'>,
    SamplingOptions,
    Pick<RewardModelOptions, 'loss'> {
  /** Whose answers are compared. It must not change while the stage runs. */
  policy: Pick<Model, 'sample' | 'tokenizer'>
  prompts: readonly Conversation[]
  judge: Judge
  steps: number
  /** Default 8. */
  promptsPerStep?: number
  /** Take the size of a judgement as the pair's margin. Default false. */
  margins?: boolean
  /** Earlier pairs, as many of which are added to each step as it has new ones, so that they are not forgotten. Default none. */
  rehearse?: readonly PreferencePair[]
}

const { batch, epochs, ...stageSchemas } = trainingStageSchemas
const schemas = {
  ...stageSchemas,
  steps: z.int().min(1),
  policy: having('sample', 'a model to sample from'),
  prompts: z.array(z.object({ messages: z.array(z.unknown()).min(1) })).min(1),
  judge: aFunction(),
  // All of a step are sampled at once.
  promptsPerStep: z.int().min(1).max(100_000).optional(),
  margins: z.boolean().optional(),
  rehearse: pairSchemas.pairs.optional(),
  maxTokens: z.int().min(1).optional(),
  temperature: z.number().positive().optional(),
  loss: z.record(z.string(), z.unknown()).optional(),
}

type Rated = ReturnType<typeof ratedPair>

/**
 * Metrics of a step: `pairs` (new ones that the judge told apart), `ties`, and those of `rewardModel` where there was something to
 * learn. A judge that throws ends the stage; what it says must be a finite number.
 */
export async function* refreshRewardModel(
  options: RefreshRewardModelOptions,
): AsyncGenerator<StageReport, void, void> {
  checkOptions<RefreshRewardModelOptions>('refresh-reward-model', schemas, options)
  const { name = 'refresh-reward-model', model, optimizer, steps, run, evaluate } = options
  refuseOtherTokens(
    'refresh-reward-model',
    { name: 'policy', model: options.policy },
    { name: 'model', model },
  )
  const seed = seedOfStage(options)
  const earlier = options.rehearse ? encodedPairs(options, options.rehearse) : []
  yield* runStage({
    name,
    steps,
    state: { models: { [name]: model } },
    async step(index): Promise<StepOutcome> {
      const fresh = await judgedPairs(options, [seed, name, index])
      const order = shuffled(earlier.length, [seed, name, index, 'rehearse'])
      const examples = [...fresh.pairs, ...order.slice(0, fresh.pairs.length).map((pair) => earlier[pair]!)]
      const counts = { pairs: fresh.pairs.length, ties: fresh.ties }
      if (examples.length === 0)
        return {
          metrics: counts,
          rollouts: fresh.records,
          warnings: ['the judge preferred no answer of this step, so nothing was trained'],
        }
      const loss = algorithm('reward-bradley-terry').build(options.loss ?? {}, { pairs: examples.length })
      const training = { values: true }
      const outcome = await trainStep({ model, examples, loss, optimizer, step: index, steps, training })
      return { ...outcome, metrics: { ...outcome.metrics, ...counts }, rollouts: fresh.records }
    },
    ...(evaluate && { evaluate }),
    ...(run && { run }),
  })
}

/** Two answers to each prompt of a step, judged; answers of the same tokens are ties without asking. */
async function judgedPairs(options: RefreshRewardModelOptions, seed: (string | number)[]) {
  const { policy, prompts, judge, promptsPerStep = 8, margins = false } = options
  const random = seededRandom(...seed, 'prompts')
  const chosen = Array.from({ length: promptsPerStep }, () => random.pick(prompts))
  const samples = await sampleAnswers({
    ...options,
    model: policy,
    prompts: chosen,
    count: 2,
    seedOf: (prompt) => seedOf(...seed, 'sample', prompt),
  })
  const preferences = await Promise.all(
    samples.map(async ([first, second], i) => {
      if (sameTokens(first!, second!)) return 0
      const by = await judge({ prompt: chosen[i]!, answers: [first!.text, second!.text] })
      if (Number.isFinite(by)) return by
      throw new RangeError(`refresh-reward-model: the judge said ${by}; it must be a finite number`)
    }),
  )
  const pairs: Rated[] = []
  const records: object[] = []
  for (const [i, by] of preferences.entries()) {
    const [first, second] = samples[i]!
    records.push({ messages: chosen[i]!.messages, answers: [first!.text, second!.text], preference: by })
    if (by === 0) continue
    const [better, worse] = by > 0 ? [first!, second!] : [second!, first!]
    const [chosenRow, rejectedRow] = [better, worse].map(({ promptTokens, tokens }) =>
      markSampled(promptTokens, tokens),
    )
    pairs.push(ratedPair({ chosen: chosenRow!, rejected: rejectedRow!, margin: margins ? Math.abs(by) : 0 }))
  }
  return { pairs, records, ties: preferences.length - pairs.length }
}

function encodedPairs({ model }: RefreshRewardModelOptions, pairs: readonly PreferencePair[]): Rated[] {
  return encodePairs(model.tokenizer, pairs, { maxTokens: model.info.context }).pairs.map(ratedPair)
}

function sameTokens(a: Sample, b: Sample): boolean {
  return a.tokens.length === b.tokens.length && a.tokens.every((token, t) => token === b.tokens[t])
}
