import type { Trajectory, TrajectoryGroup } from './types.ts'

/**
 * What groups were like. Sums run by task and sample, so that equal groups give equal bits. Means are left
 * out where there is nothing to take them of; a group of one trajectory has no spread to speak of and is not
 * counted without it. `entropy` is the mean of -log p of the drawn tokens, in nats: an estimate of the
 * sampling distribution's.
 */
export function groupMetrics(groups: readonly TrajectoryGroup<unknown>[]): Record<string, number> {
  const all = groups.flatMap(({ trajectories }) => trajectories)
  const rewards = all.map(({ reward }) => reward)
  const lengths = all.map(drawnTokens)
  const drawn = sum(lengths)
  const rewardMean = mean(rewards)
  const variance = mean(rewards.map((reward) => (reward - rewardMean) ** 2))
  const means: Record<string, number> = {
    rewardMean,
    rewardStd: Math.sqrt(variance),
    ...partMeans(all),
    lengthMean: drawn / all.length,
    lengthMax: lengths.reduce((longest, length) => Math.max(longest, length), 0),
    callsMean: mean(all.map(({ calls }) => calls.length)),
    truncatedShare: mean(all.map(({ truncated }) => (truncated ? 1 : 0))),
  }
  return {
    ...(all.length > 0 && means),
    ...(drawn > 0 && { entropy: -sum(all.map(sumLogprobs)) / drawn }),
    prefix_breaks: sum(all.map(({ prefixBreaks }) => prefixBreaks)),
    zeroSpreadGroups: groups.filter(({ trajectories }) => trajectories.length > 1 && !hasSpread(trajectories))
      .length,
    trajectories: all.length,
    drawnTokens: drawn,
  }
}

/** Whether rewards differ, so that there is something to learn from their comparison. */
export function hasSpread(trajectories: readonly Trajectory[]): boolean {
  return trajectories.some(({ reward }) => reward !== trajectories[0]?.reward)
}

/** Of the trajectories that have the part. */
function partMeans(trajectories: readonly Trajectory[]): Record<string, number> {
  const values = new Map<string, number[]>()
  for (const { parts } of trajectories)
    for (const [name, value] of Object.entries(parts)) values.set(name, [...(values.get(name) ?? []), value])
  const names = [...values.keys()].sort()
  return Object.fromEntries(names.map((name) => [`reward.${name}`, mean(values.get(name) as number[])]))
}

function drawnTokens({ segments }: Trajectory): number {
  return sum(segments.map(({ mask }) => sum(mask)))
}

function sumLogprobs({ segments }: Trajectory): number {
  return sum(segments.map(({ logprobs }) => sum(logprobs)))
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length
}

function sum(values: ArrayLike<number>): number {
  let total = 0
  for (let index = 0; index < values.length; index++) total += values[index] as number
  return total
}
