import { shown } from '../engine/shown.ts'
import { checkFunction } from './check-function.ts'

/** What a rollout came to, as reward parts see it. Everything but the task is the policy's. */
export interface ScoredAnswer<T = unknown> {
  task: T
  /** What the rollout itself returned. */
  reward: number
  /** The rollout's own parts. */
  parts: Readonly<Record<string, number>>
  /** Text of the last answer. */
  text: string
  /** Texts of all answers, in order. */
  texts: readonly string[]
  /** Drawn tokens of all answers. */
  tokens: number
  /** Whether an answer ended at its token limit. */
  truncated: boolean
}

/** One summand of a reward. */
export interface RewardPart<T = unknown> {
  /** Under which it is recorded; unique in a composition. */
  name: string
  /** What its score is multiplied by. Finite; default 1. */
  weight?: number
  /** Scores of many answers at once, as a reward model likes it. Finite, one an answer. */
  score(answers: readonly ScoredAnswer<T>[]): readonly number[] | Promise<readonly number[]>
  /** Learns from the answers of a step, once each: multipliers of constraints. Gives metrics. */
  update?(answers: readonly ScoredAnswer<T>[]): Record<string, number>
  /** What `update` changed, as JSON, and back. */
  save?(): unknown
  load?(saved: unknown): void
}

export interface ComposedReward {
  /** Sum of the parts. */
  reward: number
  /** Weight times score of each part. */
  parts: Record<string, number>
}

export interface RewardComposition<T = unknown> {
  readonly names: readonly string[]
  score(answers: readonly ScoredAnswer<T>[]): Promise<ComposedReward[]>
  update(answers: readonly ScoredAnswer<T>[]): Record<string, number>
  save(): Record<string, unknown>
  load(saved: Record<string, unknown>): void
}

/**
 * A reward of several parts, each recorded apart.
 *
 * @throws RangeError for a part without a name, a name used twice, or a weight that is not finite; `score` throws an Error naming the
 *   part whose score is missing or not finite
 */
export function composeRewards<T>(parts: readonly RewardPart<T>[]): RewardComposition<T> {
  checkParts(parts)
  return {
    names: parts.map(({ name }) => name),
    async score(answers) {
      const composed = answers.map((): ComposedReward => ({ reward: 0, parts: {} }))
      for (const { name, weight = 1, score } of parts) {
        const scores = await score(answers)
        if (scores.length !== answers.length)
          throw new Error(`reward part "${name}" gave ${scores.length} scores for ${answers.length} answers`)
        for (const [index, one] of composed.entries()) {
          const value = weight * scores[index]!
          if (!Number.isFinite(value))
            throw new Error(
              `reward part "${name}" gave ${scores[index]} for answer ${index}; it must be finite`,
            )
          one.parts[name] = value
          one.reward += value
        }
      }
      return composed
    },
    update: (answers) => Object.assign({}, ...parts.map((part) => part.update?.(answers) ?? {})),
    save: () => Object.fromEntries(parts.flatMap(({ name, save }) => (save ? [[name, save()]] : []))),
    load(saved) {
      for (const { name, load } of parts) if (load && name in saved) load(saved[name])
    },
  }
}

function checkParts(parts: readonly RewardPart<never>[]): void {
  if (!Array.isArray(parts))
    throw new RangeError(
      `composeRewards: its argument must be an array of parts, such as [rolloutReward()], got ${shown(parts)}`,
    )
  if (parts.length === 0)
    throw new RangeError('composeRewards: there are no parts, so every reward would be 0')
  const names = new Set<string>()
  for (const part of parts as readonly (Partial<RewardPart<never>> | undefined)[]) {
    const { name, weight = 1, score } = part ?? {}
    if (typeof name !== 'string' || name === '')
      throw new RangeError('composeRewards: every part needs a name, under which it is recorded')
    if (names.has(name)) throw new RangeError(`composeRewards: two parts are named "${name}"`)
    if (!Number.isFinite(weight))
      throw new RangeError(`composeRewards: the weight of "${name}" is ${weight}; it must be finite`)
    checkFunction(`composeRewards: score of "${name}"`, score)
    names.add(name)
  }
}
