import { describe, expect, it } from 'vitest'
import { seededRandom } from '../data/index.ts'
import { newModel } from '../engine/index.ts'
import { createPolicy, type Rollout } from '../rollouts/index.ts'
import { type PolicyGradientOptions, policyGradient } from './policy-gradient.ts'
import { type PolicyGradientId, policyMethods } from './policy-method.ts'
import type { StageReport } from './stage.ts'
import { asciiRollout, asciiTasks, bytePolicy } from './testing/ascii-task.ts'
import { byteModel, byteTokenizer } from './testing/byte-model.ts'
import { repeatable, reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'

const ids = Object.keys(policyMethods) as PolicyGradientId[]
const inParts: Rollout<string> = async (context) => {
  const reward = await asciiRollout(context)
  return { reward, parts: { ascii: reward } }
}
/** Rewards that have nothing to do with the answer. */
const shuffledRewards: Rollout<string> = async (context) => {
  await asciiRollout(context)
  const reward = seededRandom('reward', context.seed).next()
  return { reward, parts: { ascii: reward } }
}

async function options(algorithm: PolicyGradientId, more: Partial<PolicyGradientOptions<string>> = {}) {
  return {
    algorithm,
    policy: await bytePolicy(),
    tasks: asciiTasks,
    rollout: inParts,
    steps: 14,
    optimizer: { learningRate: 0.02 },
    ...(algorithm === 'gdpo-decoupled' && { partWeights: { ascii: 1 } }),
    ...(algorithm === 'dr-grpo' && { loss: { constant: 8 } }),
    seed: 1,
    ...more,
  }
}

const metric = (reports: readonly StageReport[], name: string) => reports.map(({ metrics }) => metrics[name]!)

describe.each(ids)('%s', (algorithm) => {
  it('learns to write ASCII within 14 steps, from 0.35 to above 0.9', async () => {
    const rewards = metric(await reportsOf(policyGradient(await options(algorithm))), 'reward')
    expect(rewards[0]).toBeLessThan(0.4)
    expect(rewards.at(-1)).toBeGreaterThan(0.9)
  })

  it('learns nothing of rewards that have nothing to do with the answers', async () => {
    const { policy, ...rest } = await options(algorithm, { rollout: shuffledRewards, steps: 8 })
    await reportsOf(policyGradient({ ...rest, policy }))
    const [after] = await reportsOf(
      policyGradient({ ...rest, policy, rollout: inParts, steps: 1, name: 'measured' }),
    )
    expect(after!.metrics.reward).toBeLessThan(0.55)
  })
})

describe('policyGradient', () => {
  it('at learning rate 0 changes no weight', async () => {
    const given = await options('grpo', { optimizer: { learningRate: 0 }, steps: 4 })
    const reports = await reportsOf(policyGradient(given))
    const [after, before] = [given.policy.model, await byteModel()]
    for (const name of ['model.norm.weight', 'model.embed_tokens.weight'])
      expect(await after.parameter(name)).toEqual(await before.parameter(name))
    expect(Math.max(...metric(reports, 'reward'))).toBeLessThan(0.55)
    expect(Math.min(...metric(reports, 'gradientNorm'))).toBeGreaterThan(0)
  })

  it('samples what it trains on: recorded and computed log-probabilities are the same bits, at any temperature', async () => {
    for (const temperature of [0.7, 1, 1.3]) {
      const policy = createPolicy((await bytePolicy()).model, { maxTokens: 8, temperature })
      const [report] = await reportsOf(policyGradient(await options('grpo', { policy, steps: 1 })))
      expect(report!.metrics).toMatchObject({
        samplerTrainerDifference: 0,
        ratioMin: 1,
        ratioMax: 1,
        approxKl: 0,
      })
    }
  })

  it('trains on what sampling computed, where a step is one update: the same metrics and weights, to the bit', async () => {
    const outcome = async (more: Partial<PolicyGradientOptions<string>>, keeps: boolean) => {
      const trained = (await bytePolicy()).model
      const shares: number[] = []
      const model: typeof trained = {
        ...trained,
        keepSampled: async (on) => trained.keepSampled(on && keeps),
        async forwardBackward(...given) {
          const report = await trained.forwardBackward(...given)
          shares.push(report.sampledMicroBatches / report.microBatches)
          return report
        },
      }
      const given = await options('grpo', { policy: await bytePolicy(model), steps: 4, ...more })
      const reports = await reportsOf(policyGradient(given))
      return {
        reports: repeatable(reports),
        weights: await model.parameter('model.embed_tokens.weight'),
        shares,
      }
    }
    const [kept, computed] = [await outcome({}, true), await outcome({}, false)]
    expect(new Set(kept.shares)).toEqual(new Set([1]))
    expect(new Set(computed.shares)).toEqual(new Set([0]))
    expect({ ...kept, shares: [] }).toEqual({ ...computed, shares: [] })
    expect(new Set((await outcome({ epochs: 2 }, true)).shares)).toEqual(new Set([0]))
  })

  it('keeps what sampling computes only while it samples, and none of it in the end, whether the stage is left or fails', async () => {
    const calls = async (
      more: Partial<PolicyGradientOptions<string>>,
      use: (stage: ReturnType<typeof policyGradient>) => Promise<unknown>,
    ) => {
      const trained = (await bytePolicy()).model
      const made: unknown[] = []
      const model: typeof trained = {
        ...trained,
        async keepSampled(on) {
          made.push(on)
          await trained.keepSampled(on)
        },
        async forgetSampled() {
          made.push('forgotten')
          await trained.forgetSampled()
        },
      }
      await use(policyGradient(await options('grpo', { policy: await bytePolicy(model), ...more })))
      return made
    }
    const left = calls({}, async (stage) => {
      await stage.next()
      await stage.return(undefined as never)
    })
    expect(await left).toEqual([true, false, 'forgotten'])
    const failed = calls(
      { rollout: () => Promise.reject(new Error('no sandbox')), onFailure: 'throw' },
      (stage) => expect(reportsOf(stage)).rejects.toThrow('no sandbox'),
    )
    expect(await failed).toEqual([true, false, 'forgotten'])
  })

  it('stops before a weight changes where the policy was changed between sampling and training', async () => {
    const given = await options('grpo', { steps: 1 })
    const { model } = given.policy
    const name = 'model.norm.weight'
    let changed: Float32Array | undefined
    const rollout: Rollout<string> = async (context) => {
      const reward = await asciiRollout(context)
      changed ??= (await model.parameter(name)).map((value) => value * 1.01)
      await model.setParameter(name, changed)
      return reward
    }
    await expect(reportsOf(policyGradient({ ...given, rollout }))).rejects.toThrow(
      /sampler and trainer differ.*were changed/,
    )
    expect(await model.parameter(name)).toEqual(changed)
  })

  it('keeps near the reference where the KL costs much, in the loss and in the reward', async () => {
    const last = async (place: 'loss' | 'reward', coefficient: number) => {
      const kl = { coefficient, place }
      const reports = await reportsOf(policyGradient(await options('grpo', { kl, steps: 8 })))
      return { first: reports[0]!.metrics, last: reports.at(-1)!.metrics }
    }
    for (const place of ['loss', 'reward'] as const) {
      const [loose, tight] = [await last(place, 1e-4), await last(place, 3)]
      expect(loose.first.kl).toBe(0)
      expect(tight.last.kl).toBeLessThan(loose.last.kl! / 2)
      expect(tight.last.reward).toBeLessThan(loose.last.reward!)
    }
  })

  it('records the KL penalty as a part of the reward, and moves an adaptive coefficient', async () => {
    const kl = { coefficient: 0.5, place: 'reward', adaptive: { target: 0.1, horizon: 32 } } as const
    const reports = await reportsOf(policyGradient(await options('rloo', { kl, steps: 4 })))
    const { metrics, rollouts } = reports.at(-1)!
    expect(metrics['reward/kl']).toBeLessThan(0)
    const [first] = rollouts as { parts: { kl: number } }[]
    expect(first!.parts.kl).toBeTypeOf('number')
    expect(new Set(metric(reports, 'klCoefficient')).size).toBe(4)
  })

  it('asks no reference where its KL costs nothing', async () => {
    const { model } = await bytePolicy()
    const asked = { ...model, forward: () => Promise.reject(new Error('asked')) }
    const given = await options('grpo', { reference: asked, steps: 1 })
    await expect(reportsOf(policyGradient(given))).resolves.toHaveLength(1)
    await expect(reportsOf(policyGradient({ ...given, kl: { coefficient: 1 } }))).rejects.toThrow('asked')
  })

  it('makes several updates of a step over minibatches, the later ones off the sampled policy', async () => {
    const [report] = await reportsOf(
      policyGradient(
        await options('grpo', { epochs: 2, minibatches: 4, steps: 1, optimizer: { learningRate: 0.05 } }),
      ),
    )
    expect(report!.metrics.ratioMax).toBeGreaterThan(1)
    expect(report!.metrics.clipFraction).toBeGreaterThan(0)
    expect(report!.metrics.samplerTrainerDifference).toBe(0)
  })

  it('makes several updates only where the loss sees how far the policy has moved', async () => {
    const twice = { epochs: 2, steps: 1, optimizer: { learningRate: 0.05 } }
    await expect(reportsOf(policyGradient(await options('reinforce', twice)))).rejects.toThrow(
      'a step is one update',
    )
    const [report] = await reportsOf(policyGradient(await options('rloo', twice)))
    expect(report!.metrics.ratioMax).toBeGreaterThan(1)
  })

  it('trains an adapter as well', async () => {
    // A head as small as the usual one, frozen, could not tell letters apart.
    const { config } = (await byteModel()).info
    const base = await newModel({ ...config, initializer_range: 0.3 }, await byteTokenizer(), {
      precision: 'f32',
      threads: 2,
      seed: 1,
    })
    const policy = await bytePolicy(await base.trainable({ lora: { rank: 8, alpha: 16 } }))
    const rewards = metric(await reportsOf(policyGradient(await options('rloo', { policy }))), 'reward')
    expect(rewards.at(-1)).toBeGreaterThan(0.9)
  })

  it('with dynamic sampling draws groups without spread anew and leaves out those that stay so', async () => {
    const rollout: Rollout<string> = async (context) => {
      const reward = await asciiRollout(context)
      return context.task === 'p' ? 1 : reward
    }
    const [report] = await reportsOf(policyGradient(await options('dapo', { rollout, steps: 1 })))
    expect(report!.metrics.resampled).toBe(0.25)
    expect(report!.metrics.zeroSpread).toBe(0.25)
    const advantages = (report!.rollouts as { taskId: string; advantage?: number }[]).map(
      ({ taskId, advantage }) => (taskId === 'p' ? advantage === undefined : advantage !== undefined),
    )
    expect(advantages.every(Boolean)).toBe(true)
  })

  it('changes no weight, and says so, where no group has spread', async () => {
    const given = await options('grpo', {
      rollout: async (context) => 0 * (await asciiRollout(context)),
      steps: 2,
    })
    const before = await given.policy.model.parameter('model.embed_tokens.weight')
    const [report] = await reportsOf(policyGradient(given))
    expect(report!.metrics).toMatchObject({ zeroSpread: 1, gradientNorm: 0, tokens: 0 })
    expect(report!.warnings.join()).toMatch(/nothing was learnt.*without spread/)
    expect(await given.policy.model.parameter('model.embed_tokens.weight')).toEqual(before)
  })

  it('goes on where rollouts fail, and says how many', async () => {
    const rollout: Rollout<string> = async (context) => {
      if (context.task === 'p') throw new Error('the tool is broken')
      return asciiRollout(context)
    }
    const [report] = await reportsOf(policyGradient(await options('grpo', { rollout, steps: 1 })))
    expect(report!.metrics.failed).toBe(8)
    expect(report!.warnings.join()).toMatch(/8 rollouts failed.*task "p": the tool is broken/)
    expect(report!.rollouts).toHaveLength(32)
  })

  it.each([
    [
      'fails in every rollout',
      { rollout: async () => Promise.reject(new Error('the tool is broken')) },
      /grpo, step 0: nothing to learn from: 32 rollouts failed.*the tool is broken/,
    ],
    [
      'never calls the model',
      { rollout: async () => 1 },
      /grpo, step 0: nothing to learn from: no rollout called the `model`/,
    ],
    [
      'fails in every rollout of two steps of one task',
      { rollout: async () => Promise.reject(new Error('the tool is broken')), tasksPerStep: 1 },
      /grpo, step 1: nothing to learn from: 8 rollouts failed/,
    ],
  ])('ends where a program %s', async (_, more, message) => {
    const given = await options('grpo', { ...more, steps: 3 })
    await expect(reportsOf(policyGradient(given))).rejects.toThrow(message)
  })

  it('goes on after a step whose one task failed', async () => {
    const bad: Rollout<string> = (context) =>
      context.task === 'p' ? Promise.reject(new Error('the tool is broken')) : asciiRollout(context)
    const reports = await reportsOf(
      policyGradient(await options('grpo', { rollout: bad, tasksPerStep: 1, steps: 8 })),
    )
    expect(reports.map(({ metrics }) => metrics.failed).filter((failed) => failed === 8)).toHaveLength(2)
  })

  it('records rollouts in words, in tokens and in numbers, as plain JSON', async () => {
    const [full] = await reportsOf(policyGradient(await options('grpo', { steps: 1 })))
    const [rollout] = full!.rollouts as Record<string, unknown>[]
    expect(JSON.parse(JSON.stringify(rollout))).toEqual(rollout)
    expect(rollout).toMatchObject({ sample: 0, attempts: 1, parts: { ascii: expect.any(Number) } })
    expect(Object.keys(rollout!)).toEqual(
      expect.arrayContaining(['calls', 'segments', 'advantage', 'reward', 'seed']),
    )
    const [segment] = rollout!.segments as { versions: number[]; mask: number[] }[]
    expect(segment!.versions).toEqual(segment!.mask.map((m) => m - 1))
    const [text] = await reportsOf(policyGradient(await options('grpo', { steps: 1, record: 'text' })))
    expect(text!.rollouts![0]).not.toHaveProperty('segments')
  })

  it.each(['reinforce', 'reinforce-plus-plus'])('learns from one answer a task by %s', async (algorithm) => {
    const given = await options(algorithm as 'reinforce', { steps: 1, groupSize: 1 })
    const [report] = await reportsOf(policyGradient(given))
    expect(report!.metrics.trajectories).toBe(given.tasks.length)
  })

  it('refuses names that mean several algorithms, options that there are not, and a KL where it cannot be', async () => {
    const start = async (algorithm: string, more: object = {}) =>
      reportsOf(policyGradient({ ...(await options(algorithm as 'grpo')), ...more }))
    await expect(start('gspo')).rejects.toThrow(/gspo-sequence.*gspo-pairs/)
    await expect(start('dpo')).rejects.toThrow('no policy-gradient algorithm of this loop')
    await expect(start('grpo', { groupsize: 4 })).rejects.toThrow('did you mean "groupSize"')
    for (const [algorithm, more] of [
      ['grpo', {}],
      ['reinforce-plus-plus', { groupBaseline: true }],
    ] as const)
      await expect(start(algorithm, { groupSize: 1, ...more })).rejects.toThrow(
        `${algorithm}: groupSize is 1; it compares answers to the same task, so give at least 2`,
      )
    await expect(start('grpo', { loss: { clipHihg: 1 } })).rejects.toThrow('unknown option "clipHihg"')
    await expect(start('rloo', { kl: { coefficient: 1, place: 'loss' } })).rejects.toThrow(
      'takes the KL in the reward',
    )
    await expect(start('grpo', { kl: { coefficient: 1, estimator: 'k1' } })).rejects.toThrow(
      'zero expected gradient',
    )
    await expect(start('gdpo-decoupled', { partWeights: { tests: 1 } })).rejects.toThrow(
      'no reward part "tests"',
    )
  })
})

describe('a run of policyGradient', () => {
  it.each(['grpo', 'reinforce-plus-plus', 'dapo'] as const)(
    '%s gives the same bits twice, and when it was broken off',
    async (algorithm) => {
      await expectRepeatable(async (run) => {
        const { seed: _, ...given } = await options(algorithm, {
          steps: 4,
          minibatches: 2,
          kl: { coefficient: 0.1, place: 'reward', adaptive: { target: 0.1, horizon: 64 } },
          replay: { staleness: 2, groups: 2 },
        })
        return { stage: policyGradient({ ...given, run }), model: given.policy.model }
      })
    },
  )
})
