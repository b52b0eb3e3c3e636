import type { MessagesExample, Task, TestingSandbox } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'
import { collectGroups, type Policy } from '../rollouts/index.ts'
import { solutionMessage } from './conversation-of.ts'
import { judgeVisibly, repairRollout, testReport } from './repair-rollout.ts'

export interface DemonstrationOptions {
  /** Two-try rollouts of each task. */
  samples: number
  maxTokens: number
  /** Right first tries a repair, at most: they keep the model from forgetting what it can do at once. */
  rightPerRepair: number
  seed: number
}

/**
 * Conversations that show how a repair goes, made of the policy's own rollouts at tasks with a reference solution. A first try that fails its
 * visible tests is followed by their report and by the second try where that one was right, else by the reference. First tries that pass stand
 * alone. Only the last answer of each is to be learnt. All tries may pass; then nothing is mended and there is no example.
 */
export async function repairDemonstrations(
  policy: Policy,
  sandbox: TestingSandbox,
  tasks: Task[],
  { samples, maxTokens, rightPerRepair, seed }: DemonstrationOptions,
): Promise<MessagesExample[]> {
  const { groups } = await collectGroups({
    policy,
    tasks: tasks.map((task) => ({ id: task.id, task })),
    rollout: repairRollout(sandbox, { maxTokens }),
    groupSize: samples,
    seed,
    step: 0,
  })
  const tries = groups.flatMap(({ task, trajectories }) => trajectories.map((one) => ({ task, ...one })))
  const mended = await Promise.all(
    tries
      .filter(({ calls }) => calls.length === 2)
      .map(async ({ task, calls, parts }): Promise<MessagesExample> => {
        const [first, second] = calls.map(({ text }) => text) as [string, string]
        const report = testReport(task, await judgeVisibly(sandbox, task, first))
        const answer = parts.passed === 1 ? second : solutionMessage(task)
        return { messages: [...exchange(chatMessage(task), first), ...exchange(report, answer)] }
      }),
  )
  const right = tries
    .filter(({ calls, parts }) => calls.length === 1 && parts.passed === 1)
    .slice(0, mended.length * rightPerRepair)
    .map(({ task, calls }) => ({ messages: exchange(chatMessage(task), calls[0]!.text) }))
  return [...mended, ...right]
}

function exchange(question: string, answer: string): MessagesExample['messages'] {
  return [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ]
}
