import { DataError } from '../data/data-error.ts'
import type { TaskSet } from '../data/tasks/load-tasks.ts'
import type { TestRequest, Verdict } from '../sandbox/types.ts'
import { type Attempt, type JudgeAttemptsOptions, judgeAttempts } from './judge-samples.ts'
import { type CodeQuality, largestSource, measureQuality } from './quality/measure-quality.ts'
import { summariseQuality } from './quality/summarise-quality.ts'
import { type EvalResult, summariseVerdicts, tallyByTask } from './result.ts'

export interface EvaluateOptions extends JudgeAttemptsOptions {
  /** The ks of pass@k; by default every k up to the fewest samples of a task. */
  ks?: number[]
  /** Also report how the programs read. It has no part in pass@k. */
  quality?: boolean
  /** Where the attempts come from, kept in the result: a samples file, or a model with its sampling settings. */
  source?: Record<string, unknown>
}

/** Judges the attempts and sums up. Throws a DataError when a k exceeds the samples of some task, before running any. */
export async function evaluateAttempts(
  sandbox: { runTests(request: TestRequest): Promise<Verdict> },
  taskSet: TaskSet,
  attempts: Attempt[],
  options: EvaluateOptions = {},
): Promise<EvalResult> {
  refuseLargeKs(attempts, options.ks)
  const verdicts = await judgeAttempts(sandbox, attempts, options)
  const attempted = new Set(verdicts.map(({ task_id }) => task_id)).size
  return {
    ...summariseVerdicts(verdicts, options.ks),
    tasks: { name: taskSet.name, total: taskSet.tasks.length, attempted, sha256: taskSet.sha256 },
    ...(options.source && { source: options.source }),
    ...(options.quality && { quality: await qualityOf(attempts) }),
  }
}

function refuseLargeKs(attempts: Attempt[], ks: number[] = []): void {
  const tallies = tallyByTask(attempts.map(({ task }) => ({ task_id: task.id, passed: false })))
  for (const [id, { samples }] of tallies) {
    const tooLarge = ks.find((k) => k > samples)
    if (tooLarge !== undefined) {
      throw new DataError(
        `pass@${tooLarge} needs at least ${tooLarge} samples of each task; ${id} has ${samples}`,
      )
    }
  }
}

async function qualityOf(attempts: Attempt[]) {
  const measured: CodeQuality[] = []
  for (const { task, program } of attempts) {
    if (program !== null && program.length <= largestSource)
      measured.push(await measureQuality(program, task.language))
  }
  return {
    ...(measured.length > 0 && summariseQuality(measured)),
    unmeasured: attempts.length - measured.length,
  }
}
