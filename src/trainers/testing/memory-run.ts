import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StageReport, StageRun, StageState } from '../stage.ts'

export interface MemoryRun extends StageRun {
  /** Every report recorded so far, in order. */
  readonly reports: StageReport[]
  /** Checkpoints in order. */
  readonly checkpoints: readonly { stage: string; done: number; best: boolean }[]
  /** Deletes the models' saved states. */
  close(): Promise<void>
}

/** A run for tests: reports and JSON in memory, models in a temporary folder. A checkpoint is due every so many steps. */
export async function memoryRun(options: { seed?: number; every?: number } = {}): Promise<MemoryRun> {
  const { seed = 0, every = 1 } = options
  const folder = await mkdtemp(join(tmpdir(), 'whetstone-run-'))
  const reports: StageReport[] = []
  const checkpoints: { stage: string; done: number; best: boolean; json: string }[] = []
  const stateOf = (index: number, model: string) => join(folder, `${index}-${model.replace(/\W/g, '_')}`)
  return {
    seed,
    reports,
    checkpoints,
    async resume(stage: string, state: StageState) {
      const index = checkpoints.findLastIndex((checkpoint) => checkpoint.stage === stage)
      const checkpoint = checkpoints[index]
      if (!checkpoint) return 0
      for (const [name, model] of Object.entries(state.models)) await model.loadState(stateOf(index, name))
      await state.load?.(JSON.parse(checkpoint.json))
      return checkpoint.done
    },
    async record(report) {
      reports.push(structuredClone(report))
    },
    due: (done) => done % every === 0,
    async checkpoint(stage, state, done, best) {
      for (const [name, model] of Object.entries(state.models))
        await model.saveState(stateOf(checkpoints.length, name))
      checkpoints.push({ stage, done, best, json: JSON.stringify(state.save?.() ?? null) })
    },
    close: () => rm(folder, { recursive: true }),
  }
}

/** Runs a stage to its end, or leaves its loop after `until` reports. */
export async function reportsOf(
  stage: AsyncGenerator<StageReport>,
  until = Number.POSITIVE_INFINITY,
): Promise<StageReport[]> {
  const reports: StageReport[] = []
  for await (const report of stage) {
    reports.push(report)
    if (reports.length >= until) break
  }
  return reports
}

/** What two runs of one configuration must share: step, metrics, evaluation and warnings, but no times. */
export function repeatable(reports: readonly StageReport[]): object[] {
  return reports.map(({ seconds, rollouts, ...rest }) => rest)
}
