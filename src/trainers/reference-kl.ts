import { z } from 'zod'
import type { FloatArray, Model, TrainableModel } from '../engine/index.ts'
import { adaptKlCoefficient, klInReward } from '../rewards/index.ts'
import { frozenReference } from './frozen-reference.ts'
import { forwardRows, type Row } from './rows.ts'

export interface KlOptions {
  /** What a nat of KL to the reference costs. 0: no reference is asked. */
  coefficient: number
  /** Default: as the algorithm's paper has it. */
  place?: 'loss' | 'reward'
  /** In the reward k1 (the default), k2 or k3; in the loss k2, k3 or k3+, the default being the loss's. */
  estimator?: 'k1' | 'k2' | 'k3' | 'k3+'
  /** Moves the coefficient so that the KL stays near a target, in nats a response (arXiv 1909.08593). */
  adaptive?: { target: number; horizon?: number }
}

export const klSchema = z
  .strictObject({
    coefficient: z.number().min(0),
    place: z.enum(['loss', 'reward']).optional(),
    estimator: z.enum(['k1', 'k2', 'k3', 'k3+']).optional(),
    adaptive: z
      .strictObject({ target: z.number().positive(), horizon: z.number().positive().optional() })
      .optional(),
  })
  .optional()

/** The pull to a reference, and what it costs so far. */
export interface ReferenceKl {
  readonly coefficient: number
  readonly place: 'loss' | 'reward'
  readonly estimator: KlOptions['estimator']
  /** The reference's log-probabilities; undefined, and nothing computed, where the coefficient is 0. */
  logprobs(rows: readonly Row[]): Promise<Float32Array[] | undefined>
  /** Moves an adaptive coefficient after a step. */
  adapt(penalised: Pick<PenalisedRewards, 'sequenceKl'>): void
  save(): number
  load(saved: unknown): void
  /** Lets go of a reference of its own. */
  close(): Promise<void>
}

/**
 * @param from the reference, and the model whose snapshot is one where none was given and one is needed
 * @throws RangeError for a place that the algorithm does not have, or an estimator that the place does not
 */
export async function referenceKl(
  trainer: string,
  options: KlOptions = { coefficient: 0 },
  places: readonly ('loss' | 'reward')[],
  from: { reference?: Model | undefined; model: TrainableModel },
): Promise<ReferenceKl> {
  const { place = places[0]!, estimator, adaptive } = options
  if (!places.includes(place))
    throw new RangeError(
      `${trainer}: kl.place is "${place}"; this algorithm takes the KL in the ${places.join(' or ')}`,
    )
  if (place === 'reward' && estimator === 'k3+')
    throw new RangeError(`${trainer}: kl.estimator "k3+" is for the loss; in the reward take k1, k2 or k3`)
  if (place === 'loss' && estimator === 'k1')
    throw new RangeError(
      `${trainer}: kl.estimator "k1" has zero expected gradient in a loss; put it in the reward, or take k2 or k3`,
    )
  let { coefficient } = options
  const held = coefficient > 0 ? await frozenReference(trainer, from.reference, from.model) : undefined
  return {
    get coefficient() {
      return coefficient
    },
    place,
    estimator,
    async logprobs(rows) {
      if (!held) return undefined
      return (await forwardRows(held.reference, rows)).map(({ logprobs }) => logprobs)
    },
    adapt({ sequenceKl }) {
      if (!adaptive || !sequenceKl) return
      coefficient = adaptKlCoefficient(adaptive, coefficient, meanOf(sequenceKl), sequenceKl.length)
    },
    save: () => coefficient,
    load(saved) {
      if (typeof saved === 'number') coefficient = saved
    },
    close: async () => held?.close(),
  }
}

/** Rewards of rows, token by token and in all, with the KL penalty where it is in the reward. */
export interface PenalisedRewards {
  rewards: number[]
  /** The penalty where it arose, the rest on the last drawn token. [T] a row. */
  tokenRewards: Float64Array[]
  /** k1 of each response to the reference, in nats; absent without a reference. */
  sequenceKl?: Float64Array
  /** `klCoefficient`; where the KL is in the reward `kl`, its token mean, and `reward/kl`, the mean penalty. */
  metrics: Record<string, number>
}

/** Rewards of rows after the penalty. Records it as the part `kl` of each trajectory. */
export function penaliseKl(
  kl: ReferenceKl,
  rows: readonly Row[],
  logprobs: readonly FloatArray[],
  reference: readonly FloatArray[] | undefined,
): PenalisedRewards {
  const inReward = reference !== undefined && kl.place === 'reward'
  const estimator = inReward && kl.estimator !== 'k3+' ? kl.estimator : undefined
  const { tokenRewards, sequenceKl, meanKl } = klInReward(
    { beta: inReward ? kl.coefficient : 0, ...(estimator && { estimator }) },
    {
      logprobs: [...logprobs],
      referenceLogprobs: [...(reference ?? logprobs)],
      masks: rows.map(({ mask }) => mask),
      scores: rows.map(({ trajectory }) => trajectory.reward),
    },
  )
  if (!reference)
    return { rewards: rows.map(({ trajectory }) => trajectory.reward), tokenRewards, metrics: {} }
  const rewards = rows.map(({ trajectory }, index) => {
    if (!inReward) return trajectory.reward
    const penalty = 0 - kl.coefficient * sequenceKl[index]!
    trajectory.parts = { ...trajectory.parts, kl: penalty }
    return trajectory.reward + penalty
  })
  const { coefficient } = kl
  const metrics = {
    klCoefficient: coefficient,
    ...(inReward && { kl: meanKl, 'reward/kl': 0 - coefficient * meanOf(sequenceKl) }),
  }
  return { rewards, tokenRewards, sequenceKl, metrics }
}

/** KL of rows to a reference by k1, as they were sampled: mean of log p - log p_reference over drawn tokens, in nats. */
export function meanKlOf(rows: readonly Row[], reference: readonly FloatArray[]): number {
  const given = {
    logprobs: rows.map(({ samplerLogprobs }) => samplerLogprobs),
    referenceLogprobs: [...reference],
    masks: rows.map(({ mask }) => mask),
    scores: rows.map(() => 0),
  }
  return klInReward({ beta: 0 }, given).meanKl
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0
  for (let index = 0; index < values.length; index++) sum += values[index]!
  return values.length > 0 ? sum / values.length : 0
}
