import { groupMetrics, type TrajectoryGroup } from '../rollouts/index.ts'
import { repetition } from './repetition.ts'
import type { Row } from './rows.ts'

/** Metrics by the names that every trainer uses. Sums run by task and sample. */
export function rolloutMetrics<T>(
  groups: readonly TrajectoryGroup<T>[],
  rows: readonly Row[],
  collected: Record<string, number>,
): Record<string, number> {
  const found = groupMetrics(groups)
  const parts = Object.entries(found).flatMap(([key, value]) =>
    key.startsWith('reward.') ? [[`reward/${key.slice('reward.'.length)}`, value] as const] : [],
  )
  const repeated = rows.map(({ target, mask }) => repetition([...target].filter((_, t) => mask[t] === 1)))
  return {
    reward: found.rewardMean ?? 0,
    rewardStd: found.rewardStd ?? 0,
    ...Object.fromEntries(parts),
    length: found.lengthMean ?? 0,
    truncated: found.truncatedShare ?? 0,
    repetition: repeated.reduce((sum, share) => sum + share, 0) / Math.max(1, rows.length),
    ...(found.entropy !== undefined && { entropy: found.entropy }),
    zeroSpread: (found.zeroSpreadGroups ?? 0) / groups.length,
    resampled: (collected.resampledGroups ?? 0) / groups.length,
    prefixBreaks: found.prefix_breaks ?? 0,
    failed: collected.failed ?? 0,
    retried: collected.retried ?? 0,
    trajectories: found.trajectories ?? 0,
  }
}
