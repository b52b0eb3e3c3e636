import type { Task } from '../data/index.ts'
import type { Model } from '../engine/index.ts'
import {
  estimatePassAtK,
  type GeneratedAttempt,
  generateAttempts,
  judgeAttempts,
  type PassAtKEstimate,
  type Prompting,
} from '../evals/index.ts'
import { tallyByTask } from '../evals/result.ts'
import type { Sandbox } from '../sandbox/index.ts'

export interface CodeMeasure {
  /** `pass@k`, `pass@kLow`, `pass@kHigh` for each k: shares with their 95 % intervals over tasks. */
  values: Record<string, number>
  /** The first attempt at each task, for a reader to look at. */
  answers: { taskId: string; text: string; passed: boolean }[]
}

export interface MeasureOptions {
  sandbox: Sandbox
  tasks: Task[]
  /** Samples a task. */
  n: number
  /** Each at most n. */
  ks: number[]
  maxTokens: number
  temperature: number
  seed: number
  prompting: Prompting
  /** Called with the number of tasks answered so far. */
  onTask?: (done: number) => void
}

/** pass@k of a model on tasks by their hidden tests. The same model and seed give the same figures. */
export async function measureCode(model: Model, options: MeasureOptions): Promise<CodeMeasure> {
  const { sandbox, tasks, ks, ...sampling } = options
  const attempts = await generateAttempts(model, tasks, { topP: 1, ...sampling })
  return judgeMeasured(sandbox, attempts, ks)
}

/** The figures of attempts made in any way. */
export async function judgeMeasured(
  sandbox: Sandbox,
  attempts: Pick<GeneratedAttempt, 'task' | 'program' | 'text'>[],
  ks: number[],
): Promise<CodeMeasure> {
  const verdicts = await judgeAttempts(sandbox, [...attempts])
  const values = passValues(estimatePassAtK([...tallyByTask(verdicts).values()], ks))
  const seen = new Set<string>()
  const answers = attempts.flatMap(({ task, text }, index) => {
    if (seen.has(task.id)) return []
    seen.add(task.id)
    return [{ taskId: task.id, text, passed: verdicts[index]!.passed }]
  })
  return { values, answers }
}

/** Estimates under the names that a report reads. */
export function passValues(estimates: readonly PassAtKEstimate[]): Record<string, number> {
  return Object.fromEntries(
    estimates.flatMap(({ k, value, low, high }) => [
      [`pass@${k}`, value],
      [`pass@${k}Low`, low],
      [`pass@${k}High`, high],
    ]),
  )
}
