import { describe, expect, it } from 'vitest'
import { seededRandom } from '../data/index.ts'
import type { Rollout } from '../rollouts/index.ts'
import { type GroupPreferenceId, type GroupPreferenceOptions, groupPreference } from './group-preference.ts'
import { asciiRollout, asciiTasks, bytePolicy } from './testing/ascii-task.ts'
import { reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'

async function options(algorithm: GroupPreferenceId, more: Partial<GroupPreferenceOptions<string>> = {}) {
  return {
    algorithm,
    policy: await bytePolicy(),
    tasks: asciiTasks,
    rollout: asciiRollout as Rollout<string>,
    steps: 16,
    optimizer: { learningRate: 0.02 },
    seed: 1,
    ...more,
  }
}

describe.each(['gspo-pairs', 'gdpo-contrast', 'gdpo-listwise'] as const)('%s', (algorithm) => {
  it('learns to write ASCII within 16 steps, from 0.35 to above 0.85', async () => {
    const reports = await reportsOf(groupPreference(await options(algorithm)))
    expect(reports[0]!.metrics.reward).toBeLessThan(0.4)
    expect(reports[0]!.metrics.samplerTrainerDifference).toBe(0)
    expect(reports.at(-1)!.metrics.reward).toBeGreaterThan(0.85)
  })

  it('learns nothing of scores that have nothing to do with the answers', async () => {
    const rollout: Rollout<string> = async (context) => {
      await asciiRollout(context)
      return seededRandom('score', context.seed).next()
    }
    const given = await options(algorithm, { rollout, steps: 8 })
    await reportsOf(groupPreference(given))
    const [after] = await reportsOf(
      groupPreference({ ...given, rollout: asciiRollout, steps: 1, name: 'measured' }),
    )
    expect(after!.metrics.reward).toBeLessThan(0.55)
  })

  it('gives the same bits twice, and when it was broken off', async () => {
    await expectRepeatable(async (run) => {
      const { seed: _, ...given } = await options(algorithm, { steps: 3 })
      return { stage: groupPreference({ ...given, run }), model: given.policy.model }
    }, 1)
  })
})

describe('groupPreference', () => {
  it('learns nothing, and says so, where no answer is better than another', async () => {
    const given = await options('gspo-pairs', { steps: 1, loss: { margin: 2 } })
    const before = await given.policy.model.parameter('model.norm.weight')
    const [report] = await reportsOf(groupPreference(given))
    expect(report!.warnings.join()).toContain('nothing was learnt')
    expect(await given.policy.model.parameter('model.norm.weight')).toEqual(before)
  })

  it('starts from a loss that knows no answer from another, against a reference that is the policy', async () => {
    const [report] = await reportsOf(groupPreference(await options('gspo-pairs', { steps: 1 })))
    expect(report!.metrics.loss).toBeCloseTo(Math.log(2), 6)
    expect(report!.metrics.margin).toBe(0)
    expect(report!.metrics.kl).toBe(0)
  })

  it('tells how far it went from its reference, and warns where that is too far', async () => {
    const given = await options('gdpo-contrast', { steps: 4, warnings: { kl: 0.01 } })
    const reports = await reportsOf(groupPreference(given))
    expect(reports.at(-1)!.metrics.kl).toBeGreaterThan(0.01)
    expect(reports.flatMap(({ warnings }) => warnings).join()).toContain('the KL to the reference is')
  })

  it('refuses names that mean several algorithms, and a group of one', async () => {
    const start = async (algorithm: string, more: object = {}) =>
      reportsOf(groupPreference({ ...(await options(algorithm as 'gspo-pairs')), ...more }))
    await expect(start('gdpo')).rejects.toThrow(/gdpo-decoupled.*gdpo-contrast or gdpo-listwise/)
    await expect(start('grpo')).rejects.toThrow('does not learn from groups')
    await expect(start('gspo-pairs', { groupSize: 1 })).rejects.toThrow('gspo-pairs: groupSize is 1')
    await expect(start('gdpo-contrast', { loss: { margin: 1 } })).rejects.toThrow('unknown option "margin"')
  })
})
