import { describe, expect, it } from 'vitest'
import type { Loss } from '../engine/index.ts'
import { algorithm } from '../losses/index.ts'
import type { TokenSegment, Trajectory } from '../rollouts/index.ts'
import { type Row, rowOf, rowsExample, rowsLoss, temperatureOf } from './rows.ts'

const segment = (mask: number[], temperature = 1): TokenSegment => ({
  tokens: Int32Array.from(mask, (_, t) => t + 1),
  mask: Uint8Array.from(mask),
  logprobs: Float32Array.from(mask, (m, t) => -m * (0.5 + t)),
  versions: Int32Array.from(mask, (m) => m - 1),
  temperature,
})
const trajectoryOf = (...segments: TokenSegment[]) =>
  ({ segments, reward: 1, parts: {} }) as unknown as Trajectory
const row = (...segments: TokenSegment[]) => rowOf(trajectoryOf(...segments), 0) as Row
const outputsOf = ({ sequences }: Row) =>
  sequences.map(({ samplerLogprobs }) => ({ logprobs: samplerLogprobs.map((l) => l - 0.1) }))
const run = <E>(loss: Loss<E & never>, example: E, outputs: object[]) =>
  loss(example as never, outputs as never)

describe('rowOf', () => {
  it('joins segments, and leaves out those in which nothing was drawn', () => {
    const joined = row(segment([0, 1, 1]), segment([0, 0]), segment([0, 0, 1, 0, 1]))
    expect([...joined.mask]).toEqual([1, 1, 0, 1, 0, 1])
    expect(joined.sequences).toHaveLength(2)
    expect(joined.tokens).toBe(4)
    expect([...joined.samplerLogprobs]).toEqual([-1.5, -2.5, -0, -2.5, -0, -4.5])
  })

  it('gives nothing for a trajectory in which nothing was drawn', () => {
    expect(rowOf(trajectoryOf(segment([0, 0])), 0)).toBeUndefined()
    expect(rowOf(trajectoryOf(), 0)).toBeUndefined()
  })
})

describe('rowsLoss', () => {
  const build = () => algorithm('gspo-sequence').build({}, { sequences: 2, tokens: 6 })
  const fields = (of: Row) => ({ advantages: [0.7], oldLogprobs: [of.samplerLogprobs] })

  it('sees a trajectory of two segments as one answer: the same loss and slopes as in one segment', () => {
    const [whole, cut] = [row(segment([0, 1, 1, 1, 1])), row(segment([0, 1, 1]), segment([0, 1, 1]))]
    const results = [whole, cut].map((one) =>
      run(rowsLoss(build()), rowsExample([one], fields(one)), outputsOf(one)),
    )
    expect(results[1]!.loss).toBeCloseTo(results[0]!.loss, 6)
    expect(results[1]!.gradients).toHaveLength(2)
    const slopes = results.map(({ gradients }) => gradients.flatMap(({ logprobs }) => [...logprobs]))
    expect(slopes[1]!.map((slope) => Math.fround(slope).toFixed(6))).toEqual(
      slopes[0]!.map((slope) => Math.fround(slope).toFixed(6)),
    )
    expect(slopes[0]!.every((slope) => slope !== 0)).toBe(true)
  })

  it('gives tokens that the policy did not draw no gradient, and counts them nowhere', () => {
    const [plain, withTool] = [row(segment([0, 1, 1, 1])), row(segment([0, 1, 0, 0, 1, 1]))]
    const logprobs = (one: Row) => ({
      logprobs: Float32Array.from(one.mask, (m) => -m),
    })
    const old = (one: Row) => ({
      advantages: [1],
      oldLogprobs: [Float32Array.from(one.mask, (m) => -1.1 * m)],
    })
    const [a, b] = [plain, withTool].map((one) =>
      run(rowsLoss(build()), rowsExample([one], old(one)), [logprobs(one)]),
    )
    expect(b!.loss).toBe(a!.loss)
    const drawn = [...b!.gradients[0]!.logprobs].filter((_, t) => withTool.mask[t] === 1)
    expect(drawn).toEqual([...a!.gradients[0]!.logprobs])
    expect([...b!.gradients[0]!.logprobs].filter((_, t) => withTool.mask[t] === 0)).toEqual([0, 0])
  })

  it('tells of what the model said of each row before the loss', () => {
    const one = row(segment([0, 1, 1]), segment([0, 1]))
    const heard: number[] = []
    run(
      rowsLoss(build(), (_, logprobs) => heard.push(...logprobs)),
      rowsExample([one], fields(one)),
      outputsOf(one),
    )
    expect(heard.map((l) => l.toFixed(1))).toEqual(['-1.6', '-2.6', '-1.6'])
  })
})

describe('temperatureOf', () => {
  it('is that of all rows, and refuses several', () => {
    expect(temperatureOf([row(segment([0, 1], 0.7)), row(segment([0, 1], 0.7))])).toBe(0.7)
    expect(() => temperatureOf([row(segment([0, 1], 0.7)), row(segment([0, 1]))])).toThrow(
      'temperatures 0.7 and 1; draw all of them at one',
    )
  })
})
