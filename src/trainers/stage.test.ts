import { describe, expect, it } from 'vitest'
import type { TrainableModel } from '../engine/index.ts'
import { runStage, type Stage, type StageReport, type StageRun, type StageState } from './stage.ts'

/** A run that keeps its newest checkpoint in memory. */
function memoryRun(every: number): StageRun & { kept: { done: number; state: unknown; best: boolean }[] } {
  const kept: { done: number; state: unknown; best: boolean }[] = []
  return {
    seed: 1,
    kept,
    async resume(_, state) {
      const last = kept.at(-1)
      if (!last) return 0
      await state.load?.(JSON.parse(JSON.stringify(last.state)))
      return last.done
    },
    async record() {},
    due: (done) => done % every === 0,
    async checkpoint(_, state, done, best) {
      kept.push({ done, state: state.save?.(), best })
    },
  }
}

/** Counts up; its score rises to step 3 and then falls. */
function counting(run?: StageRun, more: Partial<Stage> = {}): { stage: Stage; count: () => number } {
  let count = 0
  const state: StageState = {
    models: {},
    save: () => count,
    load: (saved) => {
      count = saved as number
    },
  }
  const step = async (index: number) => ({ metrics: { count: ++count, index } })
  return {
    stage: { name: 'counting', steps: 6, state, step, ...(run && { run }), ...more },
    count: () => count,
  }
}

async function collect(stage: Stage, until = Number.POSITIVE_INFINITY): Promise<StageReport[]> {
  const reports: StageReport[] = []
  for await (const report of runStage(stage)) {
    reports.push(report)
    if (report.step + 1 >= until) break
  }
  return reports
}

describe('a stage', () => {
  it('reports each step in order and ends with a checkpoint', async () => {
    const run = memoryRun(100)
    const reports = await collect(counting(run).stage)
    expect(reports.map(({ metrics }) => metrics.count)).toEqual([1, 2, 3, 4, 5, 6])
    expect(run.kept.map(({ done }) => done)).toEqual([6])
  })

  it('goes on from where its loop was left', async () => {
    const run = memoryRun(100)
    await collect(counting(run).stage, 2)
    const reports = await collect(counting(run).stage)
    expect(reports.map(({ step, metrics }) => [step, metrics.count])).toEqual([
      [2, 3],
      [3, 4],
      [4, 5],
      [5, 6],
    ])
    expect(await collect(counting(run).stage)).toEqual([])
  })

  it('keeps the checkpoint before a step that failed', async () => {
    const run = memoryRun(2)
    const { stage } = counting(run)
    const failing = {
      ...stage,
      step: (i: number) => (i === 3 ? Promise.reject(new Error('no')) : stage.step(i)),
    }
    await expect(collect(failing)).rejects.toThrow('no')
    expect(run.kept.map(({ done }) => done)).toEqual([2])
  })

  it('stops when measurements no longer get better, and stays stopped after a resume', async () => {
    const run = memoryRun(100)
    const evaluate = (count: () => number) => ({
      every: 1,
      measure: async () => ({ score: 10 - Math.abs(count() - 2) }),
      best: { metric: 'score', goal: 'maximum' as const },
      patience: 2,
    })
    const first = counting(run)
    const reports = await collect({ ...first.stage, evaluate: evaluate(first.count) })
    expect(reports.map(({ evaluation }) => evaluation?.score)).toEqual([9, 10, 9, 8])
    expect(run.kept.filter(({ best }) => best).map(({ done }) => done)).toEqual([1, 2])
    const again = counting(run)
    expect(await collect({ ...again.stage, evaluate: evaluate(again.count) })).toEqual([])
  })

  it.each([
    [undefined, 'must give an object of numbers, got undefined'],
    ['0.5', 'must give an object of numbers, got 0.5'],
    [[0.5], 'must give an object of numbers'],
    [{ share: Number.NaN }, 'gave NaN for share; it must be finite'],
    [{ share: '0.5' }, 'gave 0.5 for share; it must be finite'],
  ])('refuses a measurement that is none: %j', async (given, message) => {
    const evaluate = { every: 1, measure: async () => given as never }
    await expect(runStage(counting(undefined, { evaluate }).stage).next()).rejects.toThrow(
      `counting, step 0: evaluate.measure ${message}`,
    )
  })

  it('refuses a model that another stage is training, until that one ends or is left', async () => {
    const policy = { resetOptimizer: async () => {} } as unknown as TrainableModel
    const stage = (name: string) => counting(undefined, { name, state: { models: { policy } } }).stage
    const first = runStage(stage('first'))
    await first.next()
    await expect(collect(stage('second'))).rejects.toThrow(
      'second: its model is being trained by first already',
    )
    await first.return()
    expect(await collect(stage('second'))).toHaveLength(6)
    expect(await collect(stage('third'))).toHaveLength(6)
  })

  it('refuses a metric that is not finite, by its name', async () => {
    const { stage } = counting(undefined, { step: async () => ({ metrics: { loss: Number.NaN } }) })
    await expect(collect(stage)).rejects.toThrow('counting, step 0: loss is NaN')
  })
})
