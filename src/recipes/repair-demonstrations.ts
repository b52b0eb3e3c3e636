import type { MessagesExample, Task, TestingSandbox } from '../data/index.ts'
import { chatMessage } from '../evals/generate-attempts.ts'
import { type CallRecord, collectGroups, type Policy } from '../rollouts/index.ts'
import { solutionMessage } from './conversation-of.ts'
import { repairRollout } from './repair-rollout.ts'
import { rolloutTasks } from './rollout-tasks.ts'
import { callingTests } from './run-tests-tool.ts'

export interface DemonstrationOptions {
  /** Two-try rollouts of each task. */
  samples: number
  maxTokens: number
  /** Right first tries a repair, at most: they keep the model from forgetting what it can do at once. */
  rightPerRepair: number
  seed: number
  /** Called with rollouts that are over, and all of them. */
  onProgress?: (done: number, total: number) => void
}

/**
 * Conversations that show how a repair goes, made of the policy's own rollouts at tasks with a reference solution. A first try that fails the
 * visible tests it called is followed by their report and by the second try where that one was right, else by the reference. First tries that
 * pass all tests stand alone. Only the last answer of each is to be learnt. All tries may pass; then nothing is mended and there is no example.
 */
export async function repairDemonstrations(
  policy: Policy,
  sandbox: TestingSandbox,
  tasks: Task[],
  { samples, maxTokens, rightPerRepair, seed, onProgress }: DemonstrationOptions,
): Promise<MessagesExample[]> {
  const { groups } = await collectGroups({
    policy,
    tasks: rolloutTasks(tasks),
    rollout: repairRollout(sandbox, { maxTokens }),
    groupSize: samples,
    seed,
    step: 0,
    onFailure: 'throw',
    onProgress: ({ done, total }) => onProgress?.(done, total),
  })
  const tries = groups.flatMap(({ task, trajectories }) => trajectories.map((one) => ({ task, ...one })))
  const mended = tries
    .filter(({ calls }) => calls.length === 2)
    .map(({ task, calls, parts }) => {
      const [first, second] = calls as [CallRecord, CallRecord]
      const report = second.messages.at(-1)!
      const answer = parts.passed === 1 ? second.text : solutionMessage(task)
      return callingTests({ messages: [...exchange(task, first.text), report, answerOf(answer)] })
    })
  const right = tries
    .filter(({ calls, parts }) => calls.length === 1 && parts.passed === 1)
    .slice(0, mended.length * rightPerRepair)
    .map(({ task, calls }) => callingTests({ messages: exchange(task, calls[0]!.text) }))
  return [...mended, ...right]
}

const answerOf = (content: string) => ({ role: 'assistant' as const, content })

function exchange(task: Task, answer: string): MessagesExample['messages'] {
  return [{ role: 'user', content: chatMessage(task) }, answerOf(answer)]
}
