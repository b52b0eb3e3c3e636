import { describe, expect, it } from 'vitest'
import { downSample } from './down-sample.ts'
import type { StageHistory } from './history.ts'
import { stageCosts } from './stage-costs.ts'
import { stagePlots } from './stage-plots.ts'

function stage(count: number, metrics: (step: number) => Record<string, number>): StageHistory {
  const steps = Array.from({ length: count }, (_, step) => ({ stage: 's', step, metrics: metrics(step) }))
  const line = (step: number) => ({
    stage: 's',
    step,
    seconds: { sample: 1, train: 2, step: 4 },
    rss: 1000 + step,
  })
  return { name: 's', steps, timing: new Map(steps.map(({ step }) => [step, line(step)])) }
}

describe('a curve', () => {
  it('of few steps is all of them, with gaps where a step had no value', () => {
    expect(downSample([0, 1, 2], [5, undefined, 7], 3)).toEqual({ x: [0, 1, 2], y: [5, null, 7] })
  })

  it('of many is means with ranges, so that no outlier is lost', () => {
    const values = [1, 3, 5, 100, undefined, undefined, 2]
    expect(downSample([0, 1, 2, 3, 4, 5, 6], values, 4)).toEqual({
      x: [0.5, 2.5, 4.5, 6],
      y: [2, 52.5, null, 2],
      low: [1, 5, null, 2],
      high: [3, 100, null, 2],
    })
  })
})

describe('the plots of a stage', () => {
  it('put metrics of a family and a scale together, and name those that never changed', () => {
    const { plots, constants } = stagePlots(
      stage(3, (step) => ({
        reward: step,
        'reward/tests': step / 2,
        rewardTotal: 1000 * step,
        loss: -step,
        beta: 0.1,
      })),
    )
    expect(plots.map(({ title, series }) => [title, series.map(({ name }) => name)])).toEqual([
      ['rewardTotal', ['rewardTotal']],
      ['reward, reward/tests', ['reward', 'reward/tests']],
      ['loss', ['loss']],
      ['Time a step', ['sample', 'train', 'other']],
    ])
    expect(constants).toEqual({ beta: 0.1 })
  })

  it('stack the parts of a step, and what is in none of them', () => {
    const time = stagePlots(stage(2, (step) => ({ loss: step }))).plots.at(-1)
    expect(time).toMatchObject({
      kind: 'stacked',
      series: [{ y: [1, 1] }, { y: [2, 2] }, { name: 'other', y: [1, 1] }],
    })
  })

  it('show what was measured with its interval', () => {
    const measured = stage(4, (step) => ({ loss: step }))
    measured.steps[1]!.evaluation = { pass: 0.5, passLow: 0.4, passHigh: 0.6 }
    expect(stagePlots(measured).plots[0]).toMatchObject({
      title: 'pass (evaluation)',
      kind: 'points',
      series: [{ x: [1], y: [0.5], low: [0.4], high: [0.6] }],
    })
  })
})

describe('the costs of a stage', () => {
  it('add up time and tokens, and compare the first and the last tenth', () => {
    const costs = stageCosts(stage(20, (step) => ({ loss: 20 - step, tokens: 10 })))
    expect(costs).toMatchObject({
      steps: 20,
      seconds: 80,
      tokens: 200,
      peakBytes: 1019,
      changes: [{ metric: 'loss', first: 19.5, last: 1.5 }],
    })
  })
})
