import type { RewardComposition, ScoredAnswer } from '../rewards/index.ts'
import type { Trajectory, TrajectoryGroup } from '../rollouts/index.ts'

/**
 * Replaces what rollouts returned by a composed reward, whose parts come beside the rollouts' own, and then lets the parts learn from the
 * same answers. Failed rollouts keep their 0. Gives the metrics of what learnt.
 */
export async function scoreGroups<T>(
  rewards: RewardComposition<T> | undefined,
  groups: readonly TrajectoryGroup<T>[],
): Promise<Record<string, number>> {
  if (!rewards) return {}
  const scored = answersOf(groups)
  const answers = scored.map(({ answer }) => answer)
  const composed = await rewards.score(answers)
  for (const [index, { trajectory }] of scored.entries()) {
    const { reward, parts } = composed[index]!
    trajectory.reward = reward
    trajectory.parts = { ...trajectory.parts, ...parts }
  }
  return rewards.update(answers)
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
