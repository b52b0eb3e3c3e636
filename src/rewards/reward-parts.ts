import { shown } from '../engine/shown.ts'
import { checkFunction } from './check-function.ts'
import type { RewardPart, ScoredAnswer } from './compose-rewards.ts'
import { linearLengthPenalty, softOverlongPenalty } from './length-penalty.ts'

type Answers<T> = readonly ScoredAnswer<T>[]

/** What the rollout itself returned, as a part beside others. */
export function rolloutReward(weight = 1): RewardPart {
  return { name: 'rollout', weight, score: (answers) => answers.map(({ reward }) => reward) }
}

/** How many of a task's tests an answer passed. */
export interface TestsVerdict {
  testsPassed: number
  testsTotal: number
}

/**
 * Tests passed: 1 when all are and 0 otherwise, or their share.
 *
 * @param judge runs the tests; called on all answers at once
 */
export function testsPassed<T>(options: {
  judge(answer: ScoredAnswer<T>): Promise<TestsVerdict>
  /** Default `all`. */
  credit?: 'all' | 'share'
  weight?: number
}): RewardPart<T> {
  const { judge, credit = 'all', weight = 1 } = options
  checkFunction('testsPassed: judge', judge)
  return {
    name: 'tests',
    weight,
    async score(answers: Answers<T>) {
      const verdicts = await Promise.all(answers.map(judge))
      return verdicts.map(({ testsPassed: passed, testsTotal: total }) => {
        if (!(Number.isInteger(total) && total > 0 && passed >= 0 && passed <= total))
          throw new Error(`reward part "tests": ${passed} of ${total} tests cannot have passed`)
        return credit === 'share' ? passed / total : Number(passed === total)
      })
    },
  }
}

/** A rule on the text of the last answer: 1 where it holds, else 0. A pattern holds where it is found. */
export function rule(
  name: string,
  holds: RegExp | ((text: string) => boolean),
  options: { weight?: number } = {},
): RewardPart {
  const { weight = 1 } = options
  // A global pattern remembers where it left off, so that the same text would match every other time.
  const test = holds instanceof RegExp ? fresh(holds) : holds
  checkFunction(
    `rule "${name}": its second argument`,
    test,
    'a pattern (/like this/) or a function of the text',
  )
  return { name, weight, score: (answers) => answers.map(({ text }) => Number(test(text))) }
}

function fresh(pattern: RegExp): (text: string) => boolean {
  const stateless = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''))
  return (text) => stateless.test(text)
}

/** Any other score, a reward model's or an ensemble's: one number an answer, all at once. */
export function scoredBy<T>(
  name: string,
  score: RewardPart<T>['score'],
  options: { weight?: number } = {},
): RewardPart<T> {
  checkFunction(`scoredBy "${name}": its second argument`, score, 'a function of answers')
  const { weight = 1 } = options
  return { name, weight, score }
}

/** A penalty on the tokens of all answers; the options are those of the penalty. */
export function lengthPenalty(
  kind: 'linear' | 'soft-overlong',
  options: Parameters<typeof linearLengthPenalty>[0] & Parameters<typeof softOverlongPenalty>[0] = {},
): RewardPart {
  if (kind !== 'linear' && kind !== 'soft-overlong')
    throw new RangeError(`lengthPenalty: kind must be linear | soft-overlong, got ${shown(kind)}`)
  const penalty = kind === 'linear' ? linearLengthPenalty : softOverlongPenalty
  penalty(options, 0)
  return { name: 'length', score: (answers) => answers.map(({ tokens }) => penalty(options, tokens)) }
}
