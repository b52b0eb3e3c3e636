import { describe, expect, it } from 'vitest'
import type { PreferencePair } from '../data/index.ts'
import { combineScores, rewardEnsemble, scoreWithEnsemble } from './reward-ensemble.ts'
import { measureRanking } from './reward-model.ts'
import { byteModel, byteTokenizer, trainableBytes } from './testing/byte-model.ts'
import { memoryRun, repeatable, reportsOf } from './testing/memory-run.ts'

const say = (content: string) => [{ role: 'assistant' as const, content }]
const ask = (content: string) => [{ role: 'user' as const, content }]
const pairs: PreferencePair[] = [...'abcdefgh'].map((letter) => ({
  prompt: ask(letter),
  chosen: say(`x${letter}`),
  rejected: say(`y${letter}`),
}))
const optimizer = { learningRate: 0.005 }

describe('combineScores', () => {
  const members = [
    [1, 5],
    [3, 5],
  ]
  it('takes the mean, the worst, or the mean less k standard deviations', () => {
    expect(combineScores(members).scores).toEqual([2, 5])
    expect(combineScores(members, { combine: 'worst' }).scores).toEqual([1, 5])
    const cautious = combineScores(members, { combine: 'mean-minus-std', k: 2 })
    expect(cautious.spread).toEqual([Math.SQRT2, 0])
    expect(cautious.scores).toEqual([2 - 2 * Math.SQRT2, 5])
    expect(combineScores([[4]]).spread).toEqual([0])
  })

  it('refuses no members and ways it does not know', () => {
    expect(() => combineScores([])).toThrow('no members')
    expect(() => combineScores(members, { combine: 'best' as 'mean' })).toThrow('mean, worst, mean-minus-std')
    expect(() => combineScores(members, { k: -1 })).toThrow('k is -1')
  })
})

describe('rewardEnsemble', () => {
  it('trains each member to rank, and differently', async () => {
    const base = await byteModel()
    const members = await Promise.all([1, 2].map(() => base.trainable({ full: true }, 'value')))
    const reports = await reportsOf(rewardEnsemble({ members, pairs, optimizer, epochs: 10 }))
    expect([...new Set(reports.map(({ stage }) => stage))]).toEqual(['reward-model-0', 'reward-model-1'])
    for (const member of members) expect((await measureRanking(member, pairs)).accuracy).toBe(1)
    const tokenizer = await byteTokenizer()
    const {
      spread,
      scores,
      members: apart,
    } = await scoreWithEnsemble(members, [tokenizer.encode('x'), tokenizer.encode('q')])
    for (const value of spread) expect(value).toBeGreaterThan(0)
    expect(scores[0]).toBeCloseTo((apart[0]![0]! + apart[1]![0]!) / 2, 12)
  })

  it('goes on with the member at which it was broken off', async () => {
    const outcome = async (breaks: number[]) => {
      const run = await memoryRun({ every: 100 })
      const start = async () => {
        const members = await Promise.all([trainableBytes('value'), trainableBytes('value')])
        return rewardEnsemble({ members, pairs, optimizer, steps: 3, run })
      }
      for (const until of breaks) await reportsOf(await start(), until)
      await reportsOf(await start())
      await run.close()
      return repeatable(run.reports)
    }
    const whole = await outcome([])
    expect(whole.length).toBe(6)
    expect(await outcome([4])).toEqual(whole)
  })

  it('refuses one member', async () => {
    const only = { members: [await trainableBytes('value')], pairs, optimizer }
    await expect(reportsOf(rewardEnsemble(only))).rejects.toThrow('reward-ensemble: members')
  })
})
