import { describe, expect, it } from 'vitest'
import type { Trajectory } from '../rollouts/index.ts'
import { type PolicyGradientOptions, policyGradient } from './policy-gradient.ts'
import { createReplay, importanceOf } from './replay.ts'
import { rowOf } from './rows.ts'
import { asciiRollout, asciiTasks, bytePolicy } from './testing/ascii-task.ts'
import { reportsOf } from './testing/memory-run.ts'

const trajectory = (taskId: string): Trajectory => ({
  taskId,
  sample: 0,
  seed: 0,
  segments: [
    {
      tokens: Int32Array.of(1, 2, 3),
      mask: Uint8Array.of(0, 1, 1),
      logprobs: Float32Array.of(0, -0.1, -0.2),
      versions: Int32Array.of(-1, 0, 0),
      temperature: 1,
    },
  ],
  calls: [],
  prefixBreaks: 0,
  truncated: false,
  reward: 1,
  parts: {},
  attempts: 1,
})
const rowsOf = (...ids: string[]) => ids.map((id, group) => rowOf(trajectory(id), group)!)
const idsOf = (rows: { trajectory: Trajectory }[]) => rows.map((row) => row.trajectory.taskId)

describe('createReplay', () => {
  it('gives groups of earlier steps, none that is older than its bound, numbered on', () => {
    const replay = createReplay({ staleness: 2, groups: 9 }, ['seed'])
    expect(replay.take(0, 1)).toEqual([])
    for (let step = 0; step < 4; step++) replay.add(step, rowsOf(`a${step}`, `b${step}`))
    const rows = replay.take(4, 5)
    expect(idsOf(rows).sort()).toEqual(['a2', 'a3', 'b2', 'b3'])
    expect(rows.map(({ group }) => group)).toEqual([5, 6, 7, 8])
    expect(replay.take(7, 0)).toEqual([])
  })

  it('draws by its seed, at most as many groups as asked for, the same after a checkpoint', () => {
    const make = (seed: string) => createReplay({ staleness: 9, groups: 2 }, [seed])
    const [one, other] = [make('one'), make('other')]
    for (const replay of [one, other]) replay.add(0, rowsOf('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'))
    const draws = (replay: typeof one) => [1, 2, 3].map((step) => idsOf(replay.take(step, 0)).join(''))
    expect(draws(one)[0]).toHaveLength(2)
    expect(draws(one)).not.toEqual(draws(other))
    const resumed = make('one')
    resumed.load(JSON.parse(JSON.stringify(one.save())))
    expect(draws(resumed)).toEqual(draws(one))
    expect(resumed.take(1, 0)[0]!.samplerLogprobs).toEqual(one.take(1, 0)[0]!.samplerLogprobs)
  })

  it('is empty without options', () => {
    const replay = createReplay(undefined, [])
    replay.add(0, rowsOf('a'))
    expect(replay.take(1, 0)).toEqual([])
  })
})

describe('importanceOf', () => {
  it('weighs tokens by how far the policy moved since they were drawn, within bounds', () => {
    const rows = rowsOf('a')
    const old = [Float32Array.of(-0.1, -0.2).map((l, t) => l + [0.1, 5][t]!)]
    const { weights } = importanceOf({ staleness: 1, upper: 3 }, rows, old)
    expect(weights[0]![0]).toBeCloseTo(Math.exp(0.1), 5)
    expect(weights[0]![1]).toBe(3)
    expect([...importanceOf({ staleness: 1 }, rows, [rows[0]!.samplerLogprobs]).weights[0]!]).toEqual([1, 1])
  })
})

describe('training with replay', () => {
  const options = async (more: Partial<PolicyGradientOptions<string>>) => ({
    algorithm: 'grpo' as const,
    policy: await bytePolicy(),
    tasks: asciiTasks,
    rollout: asciiRollout,
    steps: 12,
    optimizer: { learningRate: 0.02 },
    groupSize: 4,
    ...more,
  })

  it('learns from earlier steps too, keeping the log-probabilities of sampler and step and the version of every token', async () => {
    const reports = await reportsOf(policyGradient(await options({ replay: { staleness: 3, groups: 4 } })))
    expect(reports.map(({ metrics }) => metrics.replayed)).toEqual([0, ...new Array(11).fill(0.5)])
    expect(reports[0]!.metrics).toMatchObject({ importanceRatioMin: 1, importanceRatioMax: 1 })
    expect(reports[2]!.metrics.importanceRatioMax).toBeGreaterThan(1)
    expect(reports[2]!.metrics.samplerTrainerDifference).toBe(0)
    const again = (
      reports[2]!.rollouts as { replayed?: boolean; versions: number[]; stepLogprobs: number[] }[]
    ).filter(({ replayed }) => replayed)
    expect(again).toHaveLength(16)
    expect(again.every(({ versions }) => versions.every((version) => version < 2))).toBe(true)
    expect(again[0]).toMatchObject({ samplerLogprobs: expect.any(Array), advantage: expect.any(Number) })
    expect(again[0]!.stepLogprobs).toHaveLength(again[0]!.versions.length)
    expect(reports.at(-1)!.metrics.reward).toBeGreaterThan(0.75)
  })

  it('refuses bounds that there cannot be', async () => {
    const start = async (replay: object) =>
      reportsOf(policyGradient(await options({ replay: replay as never })))
    await expect(start({ staleness: 0 })).rejects.toThrow('replay.staleness')
    await expect(start({ staleness: 1, stale: 2 })).rejects.toThrow('unknown option "replay.stale"')
  })
})
