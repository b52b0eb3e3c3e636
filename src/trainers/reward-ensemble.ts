/**
 * Several reward models in the place of one: where they disagree, a policy has found what no pair was judged on, and worst-of or a
 * mean less the spread keeps it from being paid for that (arXiv 2310.02743).
 */
import { z } from 'zod'
import { type PreferencePair, seededRandom } from '../data/index.ts'
import type { Model, TrainableModel } from '../engine/index.ts'
import { checkOptions } from './check-options.ts'
import { type RewardModelOptions, rewardModel } from './reward-model.ts'
import { scoreWith } from './scores.ts'
import type { Evaluation, StageReport } from './stage.ts'
import { seedOfStage } from './training-options.ts'

export interface EnsembleOptions {
  /** `mean`, `worst` (the lowest), or `mean-minus-std`. Default `mean`. */
  combine?: 'mean' | 'worst' | 'mean-minus-std'
  /** How many standard deviations `mean-minus-std` takes off, at least 0. Default 1. */
  k?: number
}

export interface EnsembleScores {
  /** One number a sequence. Shape: [N]. */
  scores: number[]
  /** How far the members disagree: the sample standard deviation of their scores, 0 for one member. Shape: [N]. */
  spread: number[]
  /** Shape: [members][N]. */
  members: number[][]
}

/** The members' scores of each item as one. @param members [members][N], at least one member */
export function combineScores(
  members: readonly (readonly number[])[],
  options: EnsembleOptions = {},
): EnsembleScores {
  const { combine = 'mean', k = 1 } = options
  if (members.length === 0) throw new RangeError('combineScores: there are no members')
  if (!(k >= 0 && Number.isFinite(k))) throw new RangeError(`combineScores: k is ${k}; it must be from 0`)
  const each = members[0]!.map((_, item) => members.map((scores) => scores[item]!))
  const mean = each.map((scores) => scores.reduce((sum, score) => sum + score, 0) / scores.length)
  const spread = each.map((scores, item) => {
    if (scores.length === 1) return 0
    const squares = scores.reduce((sum, score) => sum + (score - mean[item]!) ** 2, 0)
    return Math.sqrt(squares / (scores.length - 1))
  })
  const ways = {
    mean: () => mean,
    worst: () => each.map((scores) => Math.min(...scores)),
    'mean-minus-std': () => mean.map((value, item) => value - k * spread[item]!),
  }
  if (!Object.hasOwn(ways, combine))
    throw new RangeError(`combineScores: combine is "${combine}"; it must be ${Object.keys(ways).join(', ')}`)
  return { scores: ways[combine](), spread, members: members.map((scores) => [...scores]) }
}

/** What an ensemble of reward models says of whole sequences, read at the last token of each. */
export async function scoreWithEnsemble(
  models: readonly Pick<Model, 'forward'>[],
  sequences: readonly ArrayLike<number>[],
  options: EnsembleOptions = {},
): Promise<EnsembleScores> {
  const members: number[][] = []
  for (const model of models) members.push(await scoreWith(model, sequences))
  return combineScores(members, options)
}

export interface RewardEnsembleOptions extends Omit<RewardModelOptions, 'model' | 'evaluate'> {
  /** Models with value heads, at least two; all may be made of one base. */
  members: readonly TrainableModel[]
  /** Each member learns from pairs drawn with replacement, so that members differ. Default true. */
  bootstrap?: boolean
  evaluate?(member: TrainableModel, index: number): Evaluation
}

const schemas = {
  members: z.array(z.unknown()).min(2),
  bootstrap: z.boolean().optional(),
  evaluate: z.custom((value) => typeof value === 'function', 'must be a function of a member').optional(),
}

/** Trains the members one after another, as stages `NAME-0`, `NAME-1`, ... (NAME: `reward-model` unless given). */
export async function* rewardEnsemble(
  options: RewardEnsembleOptions,
): AsyncGenerator<StageReport, void, void> {
  const { members, bootstrap = true, evaluate, name = 'reward-model', ...rest } = options
  checkOptions('reward-ensemble', schemas, { members, bootstrap, evaluate })
  for (const [index, model] of members.entries()) {
    if (rest.run?.signal?.aborted) return
    const seed = [seedOfStage(rest), name, 'bootstrap', index]
    const pairs = bootstrap ? drawnAgain(rest.pairs, seed) : rest.pairs
    const evaluation = evaluate && { evaluate: evaluate(model, index) }
    yield* rewardModel({ ...rest, name: `${name}-${index}`, model, pairs, ...evaluation })
  }
}

function drawnAgain(pairs: readonly PreferencePair[], seed: (string | number)[]): PreferencePair[] {
  const random = seededRandom(...seed)
  return pairs.map(() => random.pick(pairs))
}
