import { describe, expect, it } from 'vitest'
import { type PreferencePair, seededRandom } from '../data/index.ts'
import { measureRanking, type RewardModelOptions, rewardModel } from './reward-model.ts'
import { scoreWith } from './scores.ts'
import { byteTokenizer, trainableBytes } from './testing/byte-model.ts'
import { reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'

/** The better answer has more of the letter x. */
function pairsOf(seed: number, count: number): PreferencePair[] {
  const random = seededRandom(seed)
  const answer = (...often: [number, number]) => {
    const from = random.integer(0, 3)
    const count = random.integer(...often)
    const content = Array.from({ length: 4 }, (_, i) =>
      (i + from) % 4 < count ? 'x' : random.pick(['y', 'z']),
    )
    return [{ role: 'assistant' as const, content: content.join('') }]
  }
  return Array.from({ length: count }, () => ({
    prompt: [{ role: 'user', content: random.pick(['a', 'b', 'c']) }],
    chosen: answer(3, 4),
    rejected: answer(0, 1),
  }))
}

const pairs = pairsOf(1, 32)
const heldOut = pairsOf(2, 24)
/** Labels that a coin decides. */
const shuffled = pairs.map((pair, i) =>
  i % 2 ? pair : { ...pair, chosen: pair.rejected, rejected: pair.chosen },
)
const optimizer = { learningRate: 0.005 }

describe('rewardModel', () => {
  it('learns to rank answers that it has not seen, where shuffled labels or learning rate 0 teach it nothing', async () => {
    const train = async (more: Partial<RewardModelOptions>) => {
      const model = await trainableBytes('value')
      await reportsOf(rewardModel({ model, pairs, optimizer, batch: { examples: 8 }, epochs: 8, ...more }))
      return measureRanking(model, heldOut)
    }
    expect((await train({})).accuracy).toBeGreaterThan(0.95)
    expect((await train({ pairs: shuffled })).accuracy).toBeLessThan(0.8)
    const untrained = await measureRanking(await trainableBytes('value'), heldOut)
    expect(await train({ optimizer: { learningRate: 0 }, epochs: 1 })).toEqual(untrained)
  })

  it('repeats to the bit, broken off or not', async () => {
    await expectRepeatable(async (run) => {
      const model = await trainableBytes('value')
      return {
        model,
        stage: rewardModel({ model, pairs: pairs.slice(0, 10), optimizer, batch: { examples: 3 }, run }),
      }
    })
  })

  it('learns from a margin: a larger one pulls the scores further apart', async () => {
    const marginAfter = async (margin: number) => {
      const model = await trainableBytes('value')
      const rated = pairs.map((pair) => ({ ...pair, margin }))
      await reportsOf(rewardModel({ model, pairs: rated, optimizer, epochs: 6 }))
      return (await measureRanking(model, heldOut)).margin
    }
    expect(await marginAfter(4)).toBeGreaterThan((await marginAfter(0)) + 0.5)
  })

  it('gives the same first step in parts and whole', async () => {
    const first = async (accumulation: number) => {
      const model = await trainableBytes('value')
      const options = {
        model,
        pairs,
        optimizer: { ...optimizer, accumulation },
        batch: { examples: 8 },
        steps: 2,
      }
      return (await reportsOf(rewardModel(options)))[1]!.metrics
    }
    const [whole, parts] = [await first(1), await first(3)]
    for (const name of ['loss', 'accuracy', 'margin', 'gradientNorm'])
      expect(parts[name]).toBeCloseTo(whole[name]!, 4)
  })

  it('refuses a model without a value head, and pairs that cannot be told apart', async () => {
    const start = (more: Partial<RewardModelOptions>) => async () => {
      const model = await trainableBytes('value')
      await reportsOf(rewardModel({ model, pairs, optimizer, ...more }))
    }
    await expect(start({ model: await trainableBytes() })).rejects.toThrow('value head')
    const same = [{ ...pairs[0]!, rejected: pairs[0]!.chosen }]
    await expect(start({ pairs: same })).rejects.toThrow(
      'pair 0: the answers have no tokens, or the same ones',
    )
    await expect(start({ pairs: [] })).rejects.toThrow('reward-model: pairs')
    await expect(start({ maxTokens: 5 })).rejects.toThrow('none of 32 pairs')
  })
})

describe('scoreWith', () => {
  it('scores a sequence by all of it, whatever it is scored with', async () => {
    const model = await trainableBytes('value')
    const [model2] = [await trainableBytes('value')]
    await reportsOf(rewardModel({ model, pairs, optimizer, steps: 4 }))
    await reportsOf(rewardModel({ model: model2, pairs, optimizer, steps: 4 }))
    const tokenizer = await byteTokenizer()
    const rows = ['abc', 'abd', 'ab', 'xyz'].map((text) => tokenizer.encode(text))
    const together = await scoreWith(model, rows)
    expect(new Set(together).size).toBe(4)
    for (const [index, row] of rows.entries())
      expect(await scoreWith(model2, [row])).toEqual([together[index]])
    await expect(scoreWith(model, [[]])).rejects.toThrow('sequence 0 has no tokens')
    expect(await scoreWith(model, [])).toEqual([])
  })
})
