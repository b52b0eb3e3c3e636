/**
 * Policy gradients: one loop for nine algorithms. A step rolls out groups with the current policy, turns rewards into advantages, and
 * trains on the very log-probabilities that were recorded while sampling: they are those of the trainer, to the bit, so no forward is run
 * for them. What differs from algorithm to algorithm stands in policy-method.ts and in the losses.
 */
import { z } from 'zod'
import { keptGroups } from '../advantages/index.ts'
import type { TrainableModel } from '../engine/index.ts'
import { checkOptions } from './check-options.ts'
import { type Passes, passesSchemas } from './minibatches.ts'
import { optimizerStep } from './optimizer.ts'
import {
  type MethodSettings,
  type PolicyGradientId,
  type PolicyLossOptions,
  policyLossOf,
  policyMethod,
} from './policy-method.ts'
import { type KlOptions, klSchema, penaliseKl, referenceKl } from './reference-kl.ts'
import { createReplay, importanceOf, type ReplayOptions, replaySchema } from './replay.ts'
import { learnedOf, replayedRecord } from './rollout-record.ts'
import { rolloutStage } from './rollout-stage.ts'
import { type RolloutStageOptions, refuseLoneAnswers, rolloutStageSchemas } from './rollout-stage-options.ts'
import { forwardRows, type Row } from './rows.ts'
import type { StageReport } from './stage.ts'
import { seedOfStage } from './training-options.ts'
import { idleUpdate, updatePolicy } from './update-policy.ts'

export interface PolicyGradientOptions<T> extends RolloutStageOptions<T>, MethodSettings, Passes {
  algorithm: PolicyGradientId
  /** Options of the algorithm's loss (docs/losses.md), such as `clipLow`. The KL's are in `kl`. */
  loss?: PolicyLossOptions
  /** Default: none, and no reference is asked. */
  kl?: KlOptions
  /** Learn from earlier steps' groups too. Default: on-policy. */
  replay?: ReplayOptions
}

export const policyGradientSchemas = {
  ...rolloutStageSchemas,
  algorithm: z.string(),
  loss: z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()])).optional(),
  kl: klSchema,
  ...passesSchemas,
  replay: replaySchema,
  gamma: z.number().min(0).max(1).optional(),
  groupBaseline: z.boolean().optional(),
  partWeights: z.record(z.string(), z.number()).optional(),
}

/**
 * Trains a policy on its own rollouts. Metrics of a step (docs/training.md): `reward`, `reward/<part>`, `kl`, `entropy`, `clipFraction`,
 * `gradientNorm`, `learningRate`, `tokens`, `length`, `truncated`, `zeroSpread`, `prefixBreaks`, `failed`, `samplerTrainerDifference`, ...
 * Errors: options that do not fit; a sampler and a trainer that differ; all that collecting rollouts throws.
 */
export async function* policyGradient<T>(
  options: PolicyGradientOptions<T>,
): AsyncGenerator<StageReport, void, void> {
  const id = options.algorithm
  const method = policyMethod(id)
  checkOptions<PolicyGradientOptions<T>>(id, policyGradientSchemas, options)
  const { policy, optimizer, steps } = options
  if (!method.loneAnswers?.(options)) refuseLoneAnswers(id, options.groupSize)
  const resample = options.resample ?? (options.rewards ? undefined : method.dynamicSampling)
  const { name = id } = options
  const seed = seedOfStage(options)
  const model = policy.model
  const kl = await referenceKl(id, options.kl, method.kl, { reference: options.reference, model })
  const replay = createReplay(options.replay, [seed, name, 'replay'])
  const severalUpdates = (options.epochs ?? 1) * (options.minibatches ?? 1) > 1
  if (severalUpdates && method.severalUpdates === false)
    throw new RangeError(
      `${id}: its loss does not see how far the policy has moved, so a step is one update; leave epochs and minibatches at 1`,
    )
  const lossOptions = () => ({
    ...(severalUpdates && method.severalUpdates),
    ...options.loss,
    ...(kl.place === 'loss' &&
      kl.coefficient > 0 && {
        klCoefficient: kl.coefficient,
        ...(kl.estimator && { klEstimator: kl.estimator }),
      }),
  })
  policyLossOf(method.loss, lossOptions(), { sequences: 1, tokens: 1 })

  yield* rolloutStage(
    { ...options, ...(resample !== undefined && { resample }) },
    {
      name,
      trainsOnce: !severalUpdates && !options.replay,
      async update({ step, rows: drawn }) {
        const began = performance.now()
        const fresh = method.dynamicSampling === undefined ? drawn : withSpread(drawn)
        const rows = [...fresh, ...replay.take(step, groupsIn(fresh))]
        replay.add(step, fresh)
        if (rows.length === 0) return idleUpdate(optimizerStep(optimizer, step, steps).learningRate)

        const referenceLogprobs = await kl.logprobs(rows)
        const referenced = performance.now()
        const oldLogprobs = await logprobsAtStart(model, rows, fresh.length)
        const weighed = options.replay && importanceOf(options.replay, rows, oldLogprobs)
        const penalised = penaliseKl(kl, rows, oldLogprobs, referenceLogprobs)
        const advantages = method.advantages({ rows, ...penalised, settings: options })
        const outcome = await updatePolicy({
          model,
          rows,
          fresh,
          advantages,
          oldLogprobs,
          referenceLogprobs: kl.place === 'loss' ? referenceLogprobs : undefined,
          importanceWeights: weighed?.weights,
          loss: (totals) => policyLossOf(method.loss, lossOptions(), totals),
          optimizer,
          step,
          steps,
          passes: options,
          seed: [seed, name, 'minibatches'],
        })
        kl.adapt(penalised)
        const replayed = (rows.length - fresh.length) / rows.length
        return {
          ...outcome,
          metrics: {
            ...outcome.metrics,
            ...weighed?.metrics,
            ...penalised.metrics,
            ...(options.replay && { replayed }),
          },
          seconds: {
            reference: (referenced - began) / 1000,
            ...outcome.seconds,
          },
          learned: learnedOf(rows, advantages, oldLogprobs),
          further: rows
            .slice(fresh.length)
            .map((row, index) =>
              replayedRecord(row, advantages[fresh.length + index]!, oldLogprobs[fresh.length + index]!),
            ),
        }
      },
      save: () => ({ kl: kl.save(), replay: replay.save() }),
      load(saved) {
        const before = saved as { kl: unknown; replay: unknown }
        kl.load(before.kl)
        replay.load(before.replay)
      },
      close: kl.close,
    },
  )
}

/** Rows of groups whose rewards differ. */
function withSpread(rows: readonly Row[]): Row[] {
  if (rows.length === 0) return []
  const kept = new Set(
    keptGroups(
      rows.map(({ trajectory }) => trajectory.reward),
      rows.map(({ group }) => group),
    ),
  )
  return rows.filter(({ group }) => kept.has(group))
}

function groupsIn(rows: readonly Row[]): number {
  return rows.reduce((most, { group }) => Math.max(most, group + 1), 0)
}

/** The sampler's for rows that the policy drew as it is, which are the first; the others are asked for again. */
async function logprobsAtStart(
  model: TrainableModel,
  rows: readonly Row[],
  fresh: number,
): Promise<Float32Array[]> {
  const replayed = rows.slice(fresh)
  const again = replayed.length > 0 ? await forwardRows(model, replayed) : []
  return rows.map(({ samplerLogprobs }, index) => again[index - fresh]?.logprobs ?? samplerLogprobs)
}
