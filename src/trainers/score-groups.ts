import type { RewardComposition, ScoredAnswer } from '../rewards/index.ts'
import type { Trajectory, TrajectoryGroup } from '../rollouts/index.ts'

/** Replaces what rollouts returned by a composed reward; its parts come beside the rollouts' own. Failed rollouts keep their 0. */
export async function scoreGroups<T>(
  rewards: RewardComposition<T> | undefined,
  groups: readonly TrajectoryGroup<T>[],
): Promise<void> {
  if (!rewards) return
  const scored = answersOf(groups)
  const composed = await rewards.score(scored.map(({ answer }) => answer))
  for (const [index, { trajectory }] of scored.entries()) {
    const { reward, parts } = composed[index]!
    trajectory.reward = reward
    trajectory.parts = { ...trajectory.parts, ...parts }
  }
}

/** Lets a composed reward's parts learn from a step's answers. Gives their metrics. */
export function updateRewards<T>(
  rewards: RewardComposition<T> | undefined,
  groups: readonly TrajectoryGroup<T>[],
): Record<string, number> {
  return rewards?.update(answersOf(groups).map(({ answer }) => answer)) ?? {}
}

function answersOf<T>(
  groups: readonly TrajectoryGroup<T>[],
): { trajectory: Trajectory; answer: ScoredAnswer<T> }[] {
  return groups.flatMap(({ task, trajectories }) =>
    trajectories
      .filter(({ failure }) => failure === undefined)
      .map((trajectory) => ({ trajectory, answer: answerOf(task, trajectory) })),
  )
}

function answerOf<T>(task: T, { reward, parts, calls, truncated }: Trajectory): ScoredAnswer<T> {
  const texts = calls.map(({ text }) => text)
  const tokens = calls.reduce((sum, call) => sum + call.tokens, 0)
  return { task, reward, parts, text: texts.at(-1) ?? '', texts, tokens, truncated }
}
