import type { Task } from '../../data/index.ts'
import type { TrainableModel } from '../../engine/index.ts'
import { estimatePassAtK } from '../../evals/index.ts'
import { collectGroups, type Policy } from '../../rollouts/index.ts'
import type { Sandbox } from '../../sandbox/index.ts'
import { type CodeMeasure, passValues } from '../measure-code.ts'
import { repairRollout } from '../repair-rollout.ts'
import { rolloutTasks } from '../rollout-tasks.ts'

export interface MeasureRepairOptions {
  policy: Policy<TrainableModel>
  sandbox: Sandbox
  tasks: Task[]
  samples: number
  maxTokens: number
  seed: number
  /** Called with rollouts that are over, and all of them. */
  onProgress?: (done: number, total: number) => void
}

/** pass@k where every sample is up to two tries, the second after the first one's failing test; `first try` is the share that needed none. */
export async function measureRepair(options: MeasureRepairOptions): Promise<CodeMeasure> {
  const { policy, sandbox, tasks, samples, maxTokens, seed, onProgress } = options
  const { groups } = await collectGroups({
    policy,
    tasks: rolloutTasks(tasks),
    rollout: repairRollout(sandbox, { maxTokens }),
    groupSize: samples,
    seed,
    step: 0,
    onFailure: 'zero',
    onProgress: ({ done, total }) => onProgress?.(done, total),
  })
  const passed = groups.map(({ trajectories }) => trajectories.map(({ parts }) => parts.passed === 1))
  const tallies = passed.map((verdicts) => ({
    samples: verdicts.length,
    correct: verdicts.filter(Boolean).length,
  }))
  const first = groups.flatMap(({ trajectories }) => trajectories.map(({ parts }) => parts.first ?? 0))
  const ks = [...new Set([1, Math.min(10, samples)])]
  return {
    values: {
      ...passValues(estimatePassAtK(tallies, ks)),
      'first try': first.reduce((sum, value) => sum + value, 0) / first.length,
    },
    answers: groups.map(({ taskId, trajectories }, index) => ({
      taskId,
      text: trajectories[0]!.calls
        .map(({ text }) => text.trim())
        .join("\n--- second try, after the tests' report ---\n"),
      passed: passed[index]![0]!,
    })),
  }
}
