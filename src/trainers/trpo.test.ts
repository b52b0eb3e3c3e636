import { describe, expect, it } from 'vitest'
import { seededRandom } from '../data/index.ts'
import type { TrainableModel } from '../engine/index.ts'
import { relativeError } from '../engine/testing/tiny-model.ts'
import { collectGroups, type Rollout } from '../rollouts/index.ts'
import { fisherProduct } from './fisher-product.ts'
import { parameterVector } from './parameter-vector.ts'
import { type Row, rowOf, rowsExample, rowsLoss } from './rows.ts'
import { asciiRollout, asciiTasks, bytePolicy } from './testing/ascii-task.ts'
import { byteModel, trainableBytes } from './testing/byte-model.ts'
import { reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'
import { type TrpoOptions, trpo } from './trpo.ts'

async function options(more: Partial<TrpoOptions<string>> = {}) {
  return {
    policy: await bytePolicy(),
    tasks: asciiTasks,
    rollout: asciiRollout as Rollout<string>,
    groupSize: 16,
    steps: 11,
    delta: 0.5,
    damping: 0.3,
    cgIterations: 2,
    seed: 1,
    ...more,
  }
}

async function drawnRows(model: TrainableModel): Promise<Row[]> {
  const policy = await bytePolicy(model)
  const { groups } = await collectGroups({
    policy,
    tasks: asciiTasks.slice(0, 2),
    rollout: asciiRollout,
    groupSize: 1,
    seed: 0,
    step: 0,
  })
  return groups.flatMap(({ trajectories }, group) => trajectories.flatMap((one) => rowOf(one, group) ?? []))
}

/** 1/N * sum of g (g.v), with every token's gradient g computed apart. */
async function explicitProduct(model: TrainableModel, rows: readonly Row[], vector: Float64Array) {
  const parameters = await parameterVector(model)
  const product = new Float64Array(parameters.size)
  let tokens = 0
  for (const row of rows)
    for (let t = 0; t < row.mask.length; t++) {
      if (row.mask[t] !== 1) continue
      tokens++
      const one = rowsLoss((_, outputs) => ({
        loss: 0,
        gradients: outputs.map((output) => ({
          logprobs: output.logprobs.map((_l, index) => Number(index === t)) as typeof output.logprobs,
        })),
        metrics: {},
      }))
      await model.forwardBackward([rowsExample([row], {})], one)
      const gradient = await parameters.takeGradient()
      const along = gradient.reduce((sum, g, k) => sum + g * vector[k]!, 0)
      for (let k = 0; k < product.length; k++) product[k]! += along * gradient[k]!
    }
  return product.map((value) => value / tokens)
}

describe('fisherProduct', () => {
  it.each([
    ['all weights', { full: true }],
    ['an adapter', { lora: { rank: 2, targetModules: ['q_proj', 'down_proj'] } }],
  ] as const)('equals the explicit Fisher matrix times a vector, of %s', async (_, method) => {
    const model = await (await byteModel()).trainable(method)
    const rows = await drawnRows(model)
    const parameters = await parameterVector(model)
    const random = seededRandom('vector')
    const vector = Float64Array.from({ length: parameters.size }, () => random.next() - 0.5)
    await parameters.read()
    const before = await model.parameter((await model.parameterNames())[0]!)
    const product = await fisherProduct(model, parameters, rows)(vector)
    expect(relativeError(product, await explicitProduct(model, rows, vector))).toBeLessThan(5e-3)
    expect(await model.parameter((await model.parameterNames())[0]!)).toEqual(before)
  })

  it('is symmetric and positive along every vector that it is given', async () => {
    const model = await trainableBytes()
    const rows = await drawnRows(model)
    const parameters = await parameterVector(model)
    await parameters.read()
    const product = fisherProduct(model, parameters, rows)
    const random = seededRandom('vectors')
    const draw = () => Float64Array.from({ length: parameters.size }, () => random.next() - 0.5)
    const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, k) => sum + x * b[k]!, 0)
    const [a, b] = [draw(), draw()]
    const [fa, fb] = [await product(a), await product(b)]
    expect(dot(a, fa)).toBeGreaterThan(0)
    expect(Math.abs(dot(a, fb) - dot(b, fa))).toBeLessThan(5e-3 * Math.sqrt(dot(a, fa) * dot(b, fb)))
  })
})

describe('trpo', () => {
  it('learns to write ASCII within 11 steps, from 0.35 to above 0.9, no step beyond its KL', async () => {
    const reports = await reportsOf(trpo(await options()))
    for (const { metrics } of reports.filter(({ metrics }) => metrics.tokens! > 0)) {
      expect(metrics.stepKl).toBeLessThanOrEqual(0.5)
      expect(metrics.lossChange).toBeLessThanOrEqual(0)
      expect(metrics.samplerTrainerDifference).toBe(0)
    }
    expect(reports[0]!.metrics.reward).toBeLessThan(0.4)
    expect(reports[0]!.metrics.stepKl).toBeGreaterThan(0.05)
    expect(reports.at(-1)!.metrics.reward).toBeGreaterThan(0.9)
  })

  it('learns nothing of rewards that have nothing to do with the answers', async () => {
    const rollout: Rollout<string> = async (context) => {
      await asciiRollout(context)
      return seededRandom('reward', context.seed).next()
    }
    const given = await options({ rollout, steps: 5 })
    await reportsOf(trpo(given))
    const [after] = await reportsOf(trpo({ ...given, rollout: asciiRollout, steps: 1, name: 'measured' }))
    expect(after!.metrics.reward).toBeLessThan(0.55)
  })

  it('gives the same bits twice, and when it was broken off', async () => {
    await expectRepeatable(async (run) => {
      const { seed: _, ...given } = await options({ steps: 2 })
      return { stage: trpo({ ...given, run }), model: given.policy.model }
    }, 1)
  })

  it('refuses options out of their range', async () => {
    await expect(reportsOf(trpo(await options({ delta: 0, steps: 1 })))).rejects.toThrow('delta must be')
    await expect(reportsOf(trpo({ ...(await options()), ...{ optimizer: {} } }))).rejects.toThrow(
      'unknown option',
    )
  })
})
