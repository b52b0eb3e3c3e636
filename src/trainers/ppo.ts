/**
 * Proximal policy optimisation with its four models: the policy, a frozen reference (KL in the reward), whatever scores answers (a reward
 * model in `rewards`, or the rollout itself) and a critic. Advantages by GAE over drawn tokens; several epochs over minibatches.
 *
 * The critic is a model with a value head of its own: `base.trainable({ lora: { rank: 8 } }, 'value')` shares the base with a policy that
 * is an adapter too.
 */
import { z } from 'zod'
import { gae, whitenTokens } from '../advantages/index.ts'
import type { TrainableModel } from '../engine/index.ts'
import { algorithm } from '../losses/index.ts'
import { aFunction, checkOptions, having } from './check-options.ts'
import { type Passes, passesSchemas } from './minibatches.ts'
import { type OptimizerOptions, optimizerSchema, optimizerStep } from './optimizer.ts'
import { type KlOptions, klSchema, penaliseKl, referenceKl } from './reference-kl.ts'
import { learnedOf } from './rollout-record.ts'
import { rolloutStage } from './rollout-stage.ts'
import { type RolloutStageOptions, rolloutStageSchemas } from './rollout-stage-options.ts'
import { forwardRows } from './rows.ts'
import { refuseOtherTokens } from './same-tokens.ts'
import type { StageReport } from './stage.ts'
import { addTokenRewards, type TokenRewards } from './token-rewards.ts'
import { seedOfStage } from './training-options.ts'
import { updateCritic } from './update-critic.ts'
import { idleUpdate, updatePolicy } from './update-policy.ts'

export interface PpoOptions<T> extends RolloutStageOptions<T>, Passes {
  /** With a value head: `base.trainable(method, 'value')`. */
  critic: TrainableModel
  /** Default: the policy's. */
  criticOptimizer?: OptimizerOptions
  /** In the reward only. Default: a coefficient of 0.05; 0 asks no reference. */
  kl?: Omit<KlOptions, 'place'>
  /** Step-level shaping: rewards at tokens on the way, beside the rollout's at its end. Default: none. */
  tokenRewards?: TokenRewards
  /** Discount of the next drawn token. Default 1. */
  gamma?: number
  /** Of GAE; 1: whole returns, 0: one-step errors. Default 0.95. */
  lambda?: number
  /** Advantages at mean 0 and variance 1 over the step's drawn tokens. Default true. */
  whitenAdvantages?: boolean
  /** Of the policy's loss (docs/losses.md). The critic is a model of its own, so the value's options are in `valueClip`. */
  loss?: {
    clipLow?: number
    clipHigh?: number
    dualClip?: number | null
    entropyCoefficient?: number
    aggregation?: 'token-mean' | 'token-sum' | 'sequence-mean-token-mean' | 'constant'
    constant?: number | null
  }
  /** Values may move this far from those at the start of the step; null: no bound. Default 0.2. */
  valueClip?: number | null
}

const share = z.number().min(0).max(1).optional()
const schemas = {
  ...rolloutStageSchemas,
  critic: having<TrainableModel>('forwardBackward', "a critic: `await base.trainable(method, 'value')`"),
  criticOptimizer: optimizerSchema.optional(),
  kl: klSchema,
  tokenRewards: aFunction().optional(),
  gamma: share,
  lambda: share,
  whitenAdvantages: z.boolean().optional(),
  loss: z.record(z.string(), z.union([z.number(), z.string(), z.null()])).optional(),
  valueClip: z.number().positive().nullable().optional(),
  ...passesSchemas,
}

/**
 * Trains a policy and its critic. Metrics: those of `policyGradient`, `valueLoss`, `valueClipFraction`, `explainedVariance` of the critic
 * before the step, `criticGradientNorm`. Errors: as `policyGradient`; a critic without a value head.
 */
export async function* ppo<T>(options: PpoOptions<T>): AsyncGenerator<StageReport, void, void> {
  checkOptions<PpoOptions<T>>('ppo', schemas, options)
  const { name = 'ppo', policy, critic, optimizer, steps, gamma = 1, lambda = 0.95 } = options
  const { kl: klOptions = { coefficient: 0.05 }, criticOptimizer = optimizer, valueClip = 0.2 } = options
  const seed = [seedOfStage(options), name, 'minibatches']
  const model = policy.model
  refuseOtherTokens('ppo', { name: 'policy', model }, { name: 'critic', model: critic })
  const kl = await referenceKl('ppo', klOptions, ['reward'], { reference: options.reference, model })
  algorithm('ppo').build(options.loss ?? {}, { sequences: 1, tokens: 1 })

  yield* rolloutStage(options, {
    name,
    models: { [`${name}-critic`]: critic },
    async update({ step, rows }) {
      if (rows.length === 0) return idleUpdate(optimizerStep(optimizer, step, steps).learningRate)
      const began = performance.now()
      const referenceLogprobs = await kl.logprobs(rows)
      const referenced = performance.now()
      const oldValues = (await forwardRows(critic, rows, { values: true })).map(({ values }) => values!)
      const valued = performance.now()

      const oldLogprobs = rows.map(({ samplerLogprobs }) => samplerLogprobs)
      const masks = rows.map(({ mask }) => mask)
      const { tokenRewards, ...penalised } = penaliseKl(kl, rows, oldLogprobs, referenceLogprobs)
      if (options.tokenRewards) await addTokenRewards(options.tokenRewards, rows, tokenRewards)
      const estimated = gae(
        { gamma, lambda },
        rows.map(({ mask }, index) => ({ mask, rewards: tokenRewards[index]!, values: oldValues[index]! })),
      )
      const { returns } = estimated
      const advantages =
        options.whitenAdvantages === false ? estimated.advantages : whitenTokens(estimated.advantages, masks)

      const shared = { rows, step, steps, passes: options, seed }
      const updated = await updatePolicy({
        ...shared,
        model,
        advantages,
        oldLogprobs,
        loss: (totals) => algorithm('ppo').build(options.loss ?? {}, totals),
        entropy: (options.loss?.entropyCoefficient ?? 0) > 0,
        optimizer,
      })
      const criticism = await updateCritic({
        ...shared,
        critic,
        oldValues,
        returns,
        clip: valueClip,
        optimizer: criticOptimizer,
      })
      kl.adapt(penalised)
      return {
        ...updated,
        metrics: { ...updated.metrics, ...criticism.metrics, ...estimated.metrics, ...penalised.metrics },
        seconds: {
          ...updated.seconds,
          reference: (referenced - began) / 1000,
          values: (valued - referenced) / 1000,
          critic: criticism.seconds,
        },
        learned: learnedOf(rows, advantages, oldLogprobs),
      }
    },
    save: () => kl.save(),
    load: (saved) => kl.load(saved),
    close: kl.close,
  })
}
