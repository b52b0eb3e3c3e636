import { describe, expect, it } from 'vitest'
import { composeRewards, constraint, maximumLength, rolloutReward, rule } from '../rewards/index.ts'
import type { Rollout } from '../rollouts/index.ts'
import { type PolicyGradientOptions, policyGradient } from './policy-gradient.ts'
import { repetition } from './repetition.ts'
import { asciiRollout, asciiTasks, ask, bytePolicy } from './testing/ascii-task.ts'
import { memoryRun, repeatable, reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'

async function options(more: Partial<PolicyGradientOptions<string>> = {}) {
  return {
    algorithm: 'grpo' as const,
    policy: await bytePolicy(),
    tasks: asciiTasks,
    rollout: asciiRollout as Rollout<string>,
    steps: 3,
    optimizer: { learningRate: 0.02 },
    ...more,
  }
}

const composed = () =>
  composeRewards<string>([
    rolloutReward(),
    rule('digit', /\d/, { weight: 0.5 }),
    maximumLength(4, { rate: 1, initial: 0.25 }),
  ])

describe('rewards of several parts in training', () => {
  it('are recorded apart, in metrics and rollouts, and their multipliers move', async () => {
    const reports = await reportsOf(policyGradient(await options({ rewards: composed(), seed: 2 })))
    for (const { metrics, rollouts } of reports) {
      const parts = ['rollout', 'digit', 'maximum length'].map((name) => metrics[`reward/${name}`]!)
      expect(metrics.reward).toBeCloseTo(
        parts.reduce((sum, part) => sum + part, 0),
        10,
      )
      expect(Object.keys((rollouts![0] as { parts: object }).parts)).toEqual([
        'rollout',
        'digit',
        'maximum length',
      ])
    }
    const multipliers = reports.map(({ metrics }) => metrics['multiplier/maximum length']!)
    expect(multipliers[2]).toBeGreaterThan(multipliers[0]!)
  })

  it('keep a constraint within 30 steps that the reward alone breaks', async () => {
    // The reward asks for as many ASCII characters as there is room for, the constraint for at most four of them.
    const asciiCharacters = (text: string) => text.replace(/[^ -~]/g, '').length
    const rollout: Rollout<string> = async ({ model, task, signal }) =>
      asciiCharacters(await ask(model, task, signal)) / 8
    const last = async (largest: number) => {
      const rewards = composeRewards<string>([
        rolloutReward(),
        constraint('characters', ({ text }) => asciiCharacters(text) / 8, { limit: 0.5, rate: 0.5, largest }),
      ])
      const reports = await reportsOf(policyGradient(await options({ rollout, rewards, steps: 30 })))
      const costs = reports.slice(-6).map(({ metrics }) => metrics['cost/characters']!)
      return costs.reduce((sum, cost) => sum + cost, 0) / costs.length
    }
    expect(await last(1e-9)).toBeGreaterThan(0.9)
    expect(await last(5)).toBeLessThan(0.65)
  })

  it('show a constraint the same answer when it learns as when it scores', async () => {
    const rewards = composeRewards<string>([
      rolloutReward(3),
      constraint('shortfall', ({ reward, parts }) => (Object.keys(parts).length > 0 ? 9 : 1 - reward)),
    ])
    const rollout = async (context: Parameters<typeof asciiRollout>[0]) =>
      0.25 * (await asciiRollout(context))
    const [report] = await reportsOf(policyGradient(await options({ rollout, rewards, steps: 1 })))
    const { metrics } = report!
    expect(metrics['cost/shortfall']).toBeCloseTo(1 - metrics['reward/rollout']! / 3, 10)
  })

  it('refuse to draw groups anew by what rollouts returned before they were scored', async () => {
    const start = async (more: object) =>
      reportsOf(policyGradient(await options({ rewards: composed(), steps: 1, ...more })))
    await expect(start({ resample: 1 })).rejects.toThrow('score inside the rollout')
    const [report] = await start({
      algorithm: 'dapo',
      rollout: async (c: never) => 0 * (await asciiRollout(c)),
    })
    expect(report!.metrics.resampled).toBe(0)
  })

  it('go on from a checkpoint as they were', async () => {
    await expectRepeatable(async (run) => {
      const given = await options({ rewards: composed(), steps: 4 })
      return { stage: policyGradient({ ...given, run }), model: given.policy.model }
    })
  })
})

describe('a stage of rollouts', () => {
  it('refuses a measurement that gives nothing by name, with warnings on', async () => {
    const evaluate = { every: 1, measure: async () => undefined as never }
    await expect(reportsOf(policyGradient(await options({ evaluate, steps: 1 })))).rejects.toThrow(
      'evaluate.measure must give an object of numbers, got undefined',
    )
  })

  it('measures on the way and warns where the reward rises and the held-out pass rate falls', async () => {
    let pass = 1
    const evaluate = {
      every: 2,
      measure: async () => {
        pass -= 0.1
        return { 'pass@1': pass }
      },
    }
    const given = await options({ evaluate, steps: 12, warnings: { window: 1 } })
    const reports = await reportsOf(policyGradient(given))
    const said = reports.filter(({ warnings }) => warnings.join().includes('look for a hack'))
    expect(said).toHaveLength(1)
    expect(said[0]!.evaluation).toBeDefined()
    const silent = await reportsOf(
      policyGradient({ ...(await options({ evaluate, steps: 6 })), warnings: false }),
    )
    expect(silent.flatMap(({ warnings }) => warnings)).toEqual([])
  })

  it('takes a held-out loss that falls while the reward rises for what it is', async () => {
    let loss = 1
    const evaluate = {
      every: 2,
      measure: async () => {
        loss -= 0.1
        return { loss }
      },
      best: { metric: 'loss', goal: 'minimum' as const },
    }
    const given = await options({ evaluate, steps: 12, warnings: { window: 1 } })
    const reports = await reportsOf(policyGradient(given))
    expect(reports.at(-1)!.metrics.reward).toBeGreaterThan(reports[0]!.metrics.reward!)
    expect(reports.flatMap(({ warnings }) => warnings).join()).not.toContain('look for a hack')
  })

  it.each<[object, RegExp]>([
    [{ groupSize: 1e12 }, /^grpo: groupSize: .*<=100000, got 1000000000000$/],
    [{ epochs: 1e12 }, /^grpo: epochs: .*<=100000, got 1000000000000$/],
    [{ retries: 1e12 }, /^grpo: retries: .*<=1000, got/],
    [{ resample: 1e12 }, /^grpo: resample: .*<=1000, got/],
    [{ timeoutMs: 1e12 }, /^grpo: timeoutMs: .*<=2147483647, got/],
    [{ tasksPerStep: Number.NaN }, /^grpo: tasksPerStep: .*got NaN$/],
    [{ minibatches: -1 }, /^grpo: minibatches: .*>=1, got -1$/],
    [{ steps: '3' }, /^grpo: steps: .*expected number.*got '3'$/],
  ])('refuses a value that cannot work at once, with what is allowed: %j', async (given, message) => {
    await expect(reportsOf(policyGradient(await options(given)))).rejects.toThrow(message)
  })

  it('refuses two tasks of one id before the first step, also where no step takes both', async () => {
    const tasks = [...asciiTasks, asciiTasks[0]!]
    const given = await options({ tasks, tasksPerStep: 1 })
    await expect(reportsOf(policyGradient(given))).rejects.toThrow('grpo: two tasks have the id "p"')
  })

  it('takes other tasks in each step, all of them in an epoch, in an order that the seed decides', async () => {
    const tasksOf = async (seed: number) => {
      const reports = await reportsOf(policyGradient(await options({ tasksPerStep: 2, steps: 4, seed })))
      return reports.map(({ rollouts }) => [
        ...new Set((rollouts as { taskId: string }[]).map(({ taskId }) => taskId)),
      ])
    }
    const order = await tasksOf(1)
    expect(order.every((step) => step.length === 2)).toBe(true)
    expect(order.slice(0, 2).flat().sort()).toEqual(['p', 'q', 'r', 's'])
    expect(order.slice(2).flat().sort()).toEqual(['p', 'q', 'r', 's'])
    expect(await tasksOf(1)).toEqual(order)
    expect(await tasksOf(2)).not.toEqual(order)
  })

  it('gives the same bits however many rollouts run at once, and whenever they end', async () => {
    const slowly: Rollout<string> = async (context) => {
      const reward = await asciiRollout(context)
      await new Promise((resolve) => setTimeout(resolve, context.seed % 7))
      return reward
    }
    const of = async (concurrency: number, rollout: Rollout<string>) =>
      repeatable(await reportsOf(policyGradient(await options({ concurrency, rollout }))))
    expect(await of(3, slowly)).toEqual(await of(64, asciiRollout))
  })

  it('leaves a checkpoint when its loop is left', async () => {
    const run = await memoryRun({ every: 1000 })
    await reportsOf(policyGradient({ ...(await options()), run }), 1)
    expect(run.checkpoints).toMatchObject([{ stage: 'grpo', done: 1 }])
    await run.close()
  })
})

describe('repetition', () => {
  it('is the share of phrases of eight tokens that were there before', () => {
    expect(repetition([1, 2, 3])).toBe(0)
    expect(repetition(Array.from({ length: 40 }, (_, index) => index))).toBe(0)
    expect(repetition(new Array(17).fill(7))).toBe(0.9)
  })
})
