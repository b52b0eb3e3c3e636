import { describe, expect, it } from 'vitest'
import type { PreferencePair } from '../data/index.ts'
import { refreshRewardModel } from './refresh-reward-model.ts'
import { sft } from './sft.ts'
import { byteModel, trainableBytes } from './testing/byte-model.ts'
import { reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'

const say = (content: string) => [{ role: 'assistant' as const, content }]
const ask = (content: string) => [{ role: 'user' as const, content }]
const pairs: PreferencePair[] = [...'abcdefgh'].map((letter) => ({
  prompt: ask(letter),
  chosen: say(`x${letter}`),
  rejected: say(`y${letter}`),
}))
const optimizer = { learningRate: 0.005 }

describe('refreshRewardModel', () => {
  const prompts = [...'abcd'].map((letter) => ({ messages: ask(letter) }))
  /** Answers one of eight letters, whatever it is asked. */
  const policyOfLetters = async () => {
    const model = await trainableBytes(undefined, 2)
    const examples = [...'stuvwxyz'].map((letter) => ({ messages: [...ask('a'), ...say(letter)] }))
    await reportsOf(sft({ model, examples, optimizer: { learningRate: 0.02 }, epochs: 25 }))
    return model.snapshot()
  }
  /** The answer with the lower first character is the better one. */
  const judge = ({ answers: [first, second] }: { answers: readonly [string, string] }) =>
    (second.codePointAt(0) ?? 0) - (first.codePointAt(0) ?? 0)

  it("learns a judge's taste from the policy's own answers, and not where the judge tosses coins", async () => {
    const policy = await policyOfLetters()
    const train = async (by: typeof judge, learningRate = 0.005) => {
      const model = await trainableBytes('value')
      const options = {
        model,
        policy,
        prompts,
        judge: by,
        maxTokens: 4,
        promptsPerStep: 16,
      }
      const reports = await reportsOf(
        refreshRewardModel({ ...options, optimizer: { learningRate }, steps: 20 }),
      )
      return reports.slice(-5).reduce((sum, { metrics }) => sum + metrics.accuracy! / 5, 0)
    }
    expect(await train(judge)).toBeGreaterThan(0.8)
    let tosses = 0
    expect(await train(() => (tosses++ % 2 ? 1 : -1))).toBeLessThan(0.7)
    expect(await train(judge, 0)).toBeLessThan(0.7)
  })

  it('repeats to the bit, broken off or not, and rehearses earlier pairs', async () => {
    await expectRepeatable(async (run) => {
      const model = await trainableBytes('value')
      const options = {
        model,
        policy: await byteModel(2),
        prompts,
        judge,
        maxTokens: 3,
        rehearse: pairs,
        run,
      }
      return { model, stage: refreshRewardModel({ ...options, optimizer, steps: 4, promptsPerStep: 3 }) }
    })
  })

  it('trains nothing and says so when the judge prefers nothing, and refuses a judgement that is no number', async () => {
    const start = async (by: () => number) => {
      const model = await trainableBytes('value')
      const options = {
        model,
        policy: await byteModel(2),
        prompts,
        judge: by,
        maxTokens: 3,
        promptsPerStep: 2,
      }
      return reportsOf(refreshRewardModel({ ...options, optimizer, steps: 1 }))
    }
    const [report] = await start(() => 0)
    expect(report!.metrics).toEqual({ pairs: 0, ties: 2 })
    expect(report!.warnings).toEqual(['the judge preferred no answer of this step, so nothing was trained'])
    expect(report!.rollouts).toMatchObject([{ preference: 0 }, { preference: 0 }])
    await expect(start(() => Number.NaN)).rejects.toThrow('the judge said NaN')
  })
})
