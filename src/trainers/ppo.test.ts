import { describe, expect, it } from 'vitest'
import { seededRandom } from '../data/index.ts'
import { composeRewards, scoredBy } from '../rewards/index.ts'
import type { Rollout } from '../rollouts/index.ts'
import { type PpoOptions, ppo } from './ppo.ts'
import { asciiRollout, asciiShare, asciiTasks, bytePolicy } from './testing/ascii-task.ts'
import { byteModel, trainableBytes } from './testing/byte-model.ts'
import { reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'
import type { TokenRewards } from './token-rewards.ts'

async function options(more: Partial<PpoOptions<string>> = {}) {
  return {
    policy: await bytePolicy(),
    critic: await trainableBytes('value'),
    tasks: asciiTasks,
    rollout: asciiRollout as Rollout<string>,
    steps: 14,
    optimizer: { learningRate: 0.02 },
    kl: { coefficient: 0.001 },
    seed: 1,
    ...more,
  }
}

describe('ppo', () => {
  it('learns to write ASCII within 14 steps, from 0.35 to above 0.9', async () => {
    const reports = await reportsOf(ppo(await options()))
    expect(reports[0]!.metrics.reward).toBeLessThan(0.4)
    expect(reports.at(-1)!.metrics.reward).toBeGreaterThan(0.9)
    expect(reports[0]!.metrics).toMatchObject({ samplerTrainerDifference: 0, kl: 0 })
  })

  it('has a critic that learns to foretell returns within 40 steps, where they can be foretold', async () => {
    const rollout: Rollout<string> = async (context) => {
      await asciiRollout(context)
      return context.task === 'p' || context.task === 'q' ? 1 : 0
    }
    const explained = async (learningRate: number) => {
      const given = await options({ rollout, steps: 40, groupSize: 2, optimizer: { learningRate: 0 } })
      const reports = await reportsOf(ppo({ ...given, criticOptimizer: { learningRate }, valueClip: null }))
      return reports.at(-1)!.metrics.explainedVariance!
    }
    expect(await explained(0.01)).toBeGreaterThan(0.8)
    expect(await explained(0)).toBeLessThan(0.1)
  })

  it('learns nothing of rewards that have nothing to do with the answers', async () => {
    const rollout: Rollout<string> = async (context) => {
      await asciiRollout(context)
      return seededRandom('reward', context.seed).next()
    }
    const given = await options({ rollout, steps: 8 })
    await reportsOf(ppo(given))
    const [after] = await reportsOf(ppo({ ...given, rollout: asciiRollout, steps: 1, name: 'measured' }))
    expect(after!.metrics.reward).toBeLessThan(0.55)
  })

  it('takes its reward from a reward model, and several epochs over minibatches', async () => {
    const rewards = composeRewards<string>([
      scoredBy('model', async (answers) => answers.map(({ text }) => asciiShare(text))),
    ])
    const rollout: Rollout<string> = async (context) => 0 * (await asciiRollout(context))
    const reports = await reportsOf(
      ppo(await options({ rewards, rollout, steps: 6, epochs: 2, minibatches: 2 })),
    )
    expect(reports.at(-1)!.metrics['reward/model']).toBeGreaterThan(0.6)
    expect(reports[0]!.metrics.ratioMax).toBeGreaterThan(1)
    expect(reports[0]!.metrics['reward/kl']).toBe(0)
  })

  it('learns of rewards at tokens alone, within 14 steps, each where it was earned', async () => {
    const rollout: Rollout<string> = async (context) => 0 * (await asciiRollout(context))
    // Ids of the bytes from ! to ~, after the four special tokens.
    const printable = (token: number) => Number(token >= 4 && token < 98)
    const tokenRewards: TokenRewards = async (segments) =>
      segments.map(({ tokens }) => Float64Array.from(tokens, (token) => printable(token) / 8))
    const reports = await reportsOf(ppo(await options({ rollout, tokenRewards, lambda: 0, gamma: 0 })))
    expect(reports[0]!.metrics['reward/steps']).toBeLessThan(0.4)
    expect(reports.at(-1)!.metrics['reward/steps']).toBeGreaterThan(0.8)
    const broken = async (segments: readonly { tokens: Int32Array }[]) =>
      segments.map(({ tokens }) => new Float64Array(tokens.length - 1))
    await expect(reportsOf(ppo(await options({ tokenRewards: broken })))).rejects.toThrow('tokenRewards gave')
  })

  it('trains policy and critic as two adapters on one base', async () => {
    const base = await byteModel()
    const policy = await bytePolicy(await base.trainable({ lora: { rank: 2 } }))
    const critic = await base.trainable({ lora: { rank: 2, seed: 1 } }, 'value')
    const [report] = await reportsOf(ppo(await options({ policy, critic, reference: base, steps: 1 })))
    expect(report!.metrics.criticGradientNorm).toBeGreaterThan(0)
    expect(report!.metrics.gradientNorm).toBeGreaterThan(0)
  })

  it('refuses a critic without a value head and a KL in the loss', async () => {
    await expect(reportsOf(ppo(await options({ critic: await trainableBytes() })))).rejects.toThrow(/value/)
    const kl = { coefficient: 1, place: 'loss' } as { coefficient: number }
    await expect(reportsOf(ppo(await options({ kl })))).rejects.toThrow('takes the KL in the reward')
  })

  it('gives the same bits twice, and when it was broken off', async () => {
    await expectRepeatable(async (run) => {
      const { seed: _, ...given } = await options({
        steps: 3,
        minibatches: 2,
        kl: { coefficient: 0.1, adaptive: { target: 0.1 } },
      })
      return { stage: ppo({ ...given, run }), model: given.policy.model }
    }, 1)
  })
})
