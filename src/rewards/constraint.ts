import { shown } from '../engine/shown.ts'
import { numberOption, type OptionsFor, readOptions } from '../losses/options.ts'
import { checkFunction } from './check-function.ts'
import type { RewardPart, ScoredAnswer } from './compose-rewards.ts'

export const constraintOptions = {
  limit: numberOption('(-inf, inf)', 0, 'largest mean cost that is allowed'),
  rate: numberOption('(0, inf)', 0.1, 'how far the multiplier moves for each unit of excess, a step'),
  initial: numberOption('[0, inf)', 0, 'the multiplier before the first step'),
  largest: numberOption('(0, inf)', 10, 'the multiplier grows no further'),
}

/**
 * A constraint on the mean cost of answers, kept by a Lagrange multiplier: the part is -multiplier * cost, and after each step
 * multiplier <- clip(multiplier + rate*(mean cost - limit), 0, largest): dual ascent on max E[reward] subject to E[cost] <= limit
 * (Altman, Constrained Markov decision processes, 1999; as in arXiv 1805.11074).
 *
 * @param cost of an answer, finite
 * @returns a part whose `update` gives the metrics `multiplier/<name>` and `cost/<name>`, the mean cost
 */
export function constraint<T>(
  name: string,
  cost: (answer: ScoredAnswer<T>) => number,
  given: OptionsFor<typeof constraintOptions> = {},
): RewardPart<T> {
  checkFunction(`constraint "${name}": its second argument`, cost, 'a function of an answer')
  const { limit, rate, initial, largest } = readOptions(`constraint "${name}"`, constraintOptions, given)
  let multiplier = Math.min(initial, largest)
  return {
    name,
    // Without the addition a cost of 0 would be recorded as -0.
    score: (answers) => answers.map((answer) => 0 - multiplier * cost(answer)),
    update(answers) {
      if (answers.length === 0) return { [`multiplier/${name}`]: multiplier }
      const mean = answers.reduce((sum, answer) => sum + cost(answer), 0) / answers.length
      if (!Number.isFinite(mean)) throw new Error(`constraint "${name}": the mean cost is ${mean}`)
      multiplier = Math.min(largest, Math.max(0, multiplier + rate * (mean - limit)))
      return { [`multiplier/${name}`]: multiplier, [`cost/${name}`]: mean }
    },
    save: () => multiplier,
    load(saved) {
      if (typeof saved !== 'number' || !(saved >= 0))
        throw new Error(
          `constraint "${name}": the saved multiplier is ${saved}; it must be a number of at least 0`,
        )
      multiplier = saved
    },
  }
}

/** Answers of at most so many tokens: the cost is what is above them, as a share of the maximum. */
export function maximumLength(tokens: number, given: OptionsFor<typeof constraintOptions> = {}): RewardPart {
  if (!(Number.isFinite(tokens) && tokens > 0))
    throw new RangeError(`maximumLength: tokens must be a number above 0, got ${tokens}`)
  return constraint('maximum length', (answer) => Math.max(0, answer.tokens / tokens - 1), given)
}

/** Answers in which none of the patterns is found: the cost is the number of patterns that are. */
export function forbiddenPatterns(
  patterns: readonly RegExp[],
  given: OptionsFor<typeof constraintOptions> = {},
): RewardPart {
  if (!Array.isArray(patterns) || !patterns.every((pattern) => pattern instanceof RegExp))
    throw new RangeError(
      `forbiddenPatterns: its first argument must be an array of patterns, such as [/eval/], got ${shown(patterns)}`,
    )
  const stateless = patterns.map(({ source, flags }) => new RegExp(source, flags.replace(/[gy]/g, '')))
  const found = ({ texts }: ScoredAnswer) =>
    stateless.filter((pattern) => texts.some((text) => pattern.test(text))).length
  return constraint('forbidden patterns', found, given)
}
