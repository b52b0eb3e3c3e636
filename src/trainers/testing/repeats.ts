import { expect } from 'vitest'
import type { TrainableModel } from '../../engine/index.ts'
import type { StageReport, StageRun } from '../stage.ts'
import { memoryRun, repeatable, reportsOf } from './memory-run.ts'

/** Starts the same stage on a fresh model. */
export type StartStage = (run: StageRun) => Promise<{
  stage: AsyncGenerator<StageReport>
  model: TrainableModel
}>

/**
 * Expects that a stage gives the same metrics and weights, to the bit, when it is run twice and when it is broken off after
 * `breakAfter` steps and gone on with.
 */
export async function expectRepeatable(start: StartStage, breakAfter = 2): Promise<void> {
  const whole = await outcome(start, [])
  const second = await outcome(start, [])
  const resumed = await outcome(start, [breakAfter])
  expect(second).toEqual(whole)
  expect(resumed).toEqual(whole)
  expect(whole.reports.length).toBeGreaterThan(breakAfter)
}

async function outcome(start: StartStage, breaks: number[]) {
  const run = await memoryRun({ seed: 5, every: 1000 })
  try {
    for (const until of breaks) await reportsOf((await start(run)).stage, until)
    const { stage, model } = await start(run)
    await reportsOf(stage)
    const weights: Record<string, Float32Array> = {}
    for (const name of await model.parameterNames()) weights[name] = await model.parameter(name)
    return { reports: repeatable(run.reports), weights }
  } finally {
    await run.close()
  }
}
