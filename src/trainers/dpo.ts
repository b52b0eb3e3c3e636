/**
 * Direct preference optimisation (`dpo`, with label smoothing and length normalisation) and `ipo`: learn from pairs without a reward
 * model, by how much more likely than the reference each answer is made.
 *
 * The reference's log-probabilities do not change, so each pair is read once, when it first comes. Both answers of a pair stand in
 * one example, whose prompt the engine computes once.
 */
import { z } from 'zod'
import type { PreferencePair } from '../data/index.ts'
import type { Model } from '../engine/index.ts'
import { algorithm, batchLoss, type PreferenceExample } from '../losses/index.ts'
import { batchPlan } from './batches.ts'
import { checkOptions, having } from './check-options.ts'
import { type EncodedPair, encodePairs, type PairOptions } from './encode-pairs.ts'
import { frozenReference } from './frozen-reference.ts'
import { exampleOfTokens, tokensOfExample } from './masked-examples.ts'
import { forwardAll } from './measure-loss.ts'
import { pairSchemas } from './reward-model.ts'
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

/** `beta`, `lengthNormalised`, and for `dpo` `labelSmoothing` (docs/losses.md). */
export interface PreferenceLossOptions {
  /** Default `dpo`. */
  id?: 'dpo' | 'ipo'
  /** Default 0.1. */
  beta?: number
  /** Of `dpo`: the assumed share of pairs whose label is wrong. Default 0. */
  labelSmoothing?: number
  /** Default false. */
  lengthNormalised?: boolean
}

export interface DpoOptions extends TrainingStageOptions, Partial<PairOptions> {
  pairs: readonly PreferencePair[]
  /** What the policy is held to. With LoRA the base itself. Default: the policy as it is handed over. */
  reference?: Pick<Model, 'forward'>
  loss?: PreferenceLossOptions
}

const schemas = {
  ...trainingStageSchemas,
  ...pairSchemas,
  reference: having('forward', 'a model').optional(),
  loss: z.looseObject({ id: z.enum(['dpo', 'ipo']).optional() }).optional(),
}

/**
 * Trains on preference pairs. Metrics of a step: `loss`, `chosenReward` and `rejectedReward` (beta times the log-ratio to the
 * reference), `margin` (their difference), `accuracy` (share of pairs with a positive one), `gradientNorm`, `learningRate`, `tokens`.
 * Errors: as `encodePairs`; options that do not fit.
 */
export async function* dpo(options: DpoOptions): AsyncGenerator<StageReport, void, void> {
  checkOptions<DpoOptions>('dpo', schemas, options)
  const { model, optimizer, batch = defaultBatch, run, evaluate } = options
  const { id = 'dpo', ...lossOptions } = options.loss ?? {}
  const { name = id } = options
  const maxTokens = mostTokens(name, options)
  const { pairs, notes } = encodePairs(model.tokenizer, options.pairs, { ...options, maxTokens })
  // Before a checkpoint is loaded: a stage that goes on is held to the model from which it began.
  const { reference, close } = await frozenReference(name, options.reference, model)
  const compared = pairs.map(comparedAnswers)
  const withReference = referenceReader(reference, compared)
  const plan = batchPlan(compared.map(tokensOfExample), batch, [seedOfStage(options), name, 'order'])
  const steps = plannedSteps(name, options, plan)
  yield* runStage({
    name,
    steps,
    state: { models: { [name]: model } },
    async step(index) {
      const examples = await withReference(plan.at(index))
      const loss = algorithm(id).build(lossOptions, { pairs: examples.length })
      const outcome = await trainStep({ model, examples, loss, optimizer, step: index, steps })
      return { ...outcome, ...shownFirst(index, notes) }
    },
    ...(evaluate && { evaluate }),
    ...(run && { run }),
    close,
  })
}

/**
 * How a policy does on pairs that it does not train on, as the loss sees them: `loss`, `accuracy`, `margin`, `chosenReward`,
 * `rejectedReward`. Without a reference, `accuracy` says which answer the policy itself finds likelier.
 */
export async function measurePreferences(
  model: Pick<Model, 'forward' | 'tokenizer' | 'info'>,
  reference: Pick<Model, 'forward'> | undefined,
  pairs: readonly PreferencePair[],
  options: PreferenceLossOptions = {},
): Promise<Record<string, number>> {
  const { id = 'dpo', ...lossOptions } = options
  const { pairs: encoded } = encodePairs(model.tokenizer, pairs, {
    maxTokens: model.info.context,
    overlong: 'truncate',
  })
  const compared = encoded.map(comparedAnswers)
  const examples = reference ? await referenceReader(reference, compared)([...compared.keys()]) : compared
  const outputs = await forwardAll(
    model,
    examples.flatMap(({ sequences }) => sequences),
  )
  const byPair = examples.map((_, pair) => outputs.slice(2 * pair, 2 * pair + 2))
  const loss = algorithm(id).build(lossOptions, { pairs: examples.length })
  const result = batchLoss(loss, examples, byPair)
  return { loss: result.loss, ...result.metrics }
}

/** Gives pairs, by their numbers, with the reference's log-probabilities, reading each pair once. */
function referenceReader(reference: Pick<Model, 'forward'>, pairs: readonly PreferenceExample[]) {
  const read = new Map<number, PreferenceExample>()
  return async (wanted: readonly number[]): Promise<PreferenceExample[]> => {
    const missing = wanted.filter((pair) => !read.has(pair))
    const outputs = await forwardAll(
      reference,
      missing.flatMap((pair) => pairs[pair]!.sequences),
    )
    for (const [index, pair] of missing.entries()) {
      const referenceLogprobs = outputs.slice(2 * index, 2 * index + 2).map(({ logprobs }) => logprobs)
      read.set(pair, { ...pairs[pair]!, referenceLogprobs })
    }
    return wanted.map((pair) => read.get(pair)!)
  }
}

/** Both answers of a pair in one example, with a reference that finds all equally likely. */
function comparedAnswers({ chosen, rejected }: EncodedPair): PreferenceExample {
  const [better, worse] = [chosen, rejected].map(({ tokens, mask }) => exampleOfTokens(tokens, mask))
  const sequences = [...better!.sequences, ...worse!.sequences]
  return {
    sequences,
    masks: [...better!.masks, ...worse!.masks],
    referenceLogprobs: sequences.map(({ input }) => new Float32Array(input.length)),
  }
}
