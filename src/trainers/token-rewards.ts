import type { TokenSegment } from '../rollouts/index.ts'
import type { Row } from './rows.ts'

/**
 * Rewards at single tokens, beside what a rollout is worth at its end; for each segment one number a token, of which those at drawn tokens count.
 * Shapes: [T] a segment. With a process reward model: `(segments) => stepRewards(judge, segments)`.
 */
export type TokenRewards = (
  segments: readonly Pick<TokenSegment, 'tokens' | 'mask'>[],
) => Promise<readonly ArrayLike<number>[]>

/**
 * Adds rewards at tokens to those of rows, in place. The sum over a trajectory is recorded as its part `steps`.
 *
 * @param rewards [T] a row, aligned with its targets
 * @throws Error where a segment has no rewards, as many as it has not tokens, or one that is not finite
 */
export async function addTokenRewards(
  given: TokenRewards,
  rows: readonly Row[],
  rewards: readonly Float64Array[],
): Promise<void> {
  // Those that are the row's sequences: the first token of a segment is no target.
  const segments = rows.map(({ trajectory }) => trajectory.segments.filter(({ mask }) => mask.includes(1, 1)))
  const found = await given(segments.flat())
  let next = 0
  for (const [index, { mask, trajectory }] of rows.entries()) {
    let [at, steps] = [0, 0]
    for (const { tokens } of segments[index]!) {
      const own = found[next]
      if (own?.length !== tokens.length)
        throw new Error(
          `tokenRewards gave ${own?.length ?? 'no'} rewards for segment ${next}, which has ${tokens.length} tokens`,
        )
      for (let t = 1; t < own.length; t++, at++) {
        if (mask[at] !== 1) continue
        if (!Number.isFinite(own[t]))
          throw new Error(`tokenRewards gave ${own[t]} at token ${t} of segment ${next}; it must be finite`)
        rewards[index]![at]! += own[t]!
        steps += own[t]!
      }
      next++
    }
    trajectory.parts = { ...trajectory.parts, steps }
  }
}
