import type { RolloutFailure } from '../rollouts/index.ts'

/** How many rollouts of a step failed, and why the first did; undefined where none did. */
export function describeFailures(failures: readonly RolloutFailure[]): string | undefined {
  const [first] = failures
  return (
    first &&
    `${failures.length} rollout${failures.length === 1 ? '' : 's'} failed; the first, sample ${first.sample} of task "${first.taskId}": ${first.reason}`
  )
}
