import { describe, expect, it } from 'vitest'
import { composeRewards, type ScoredAnswer } from './compose-rewards.ts'
import { constraint, forbiddenPatterns, maximumLength } from './constraint.ts'
import { lengthPenalty, rolloutReward, rule, scoredBy, testsPassed } from './reward-parts.ts'

const answer = (text: string, tokens = text.length, reward = 0): ScoredAnswer<string> => ({
  task: 'task',
  reward,
  parts: {},
  text,
  texts: [text],
  tokens,
  truncated: false,
})

describe('composeRewards', () => {
  it('adds weighted parts and keeps each apart', async () => {
    const rewards = composeRewards<string>([
      rolloutReward(2),
      rule('format', /^\d+$/g, { weight: 0.5 }),
      testsPassed({
        judge: async ({ text }) => ({ testsPassed: text.length, testsTotal: 4 }),
        credit: 'share',
      }),
      scoredBy('model', async (answers) => answers.map(({ tokens }) => -tokens), { weight: 0.1 }),
      lengthPenalty('linear', { freeLength: 2, perToken: 0.25 }),
    ])
    const [digits, other] = await rewards.score([answer('123', 3, 1), answer('ab', 2)])
    expect(digits!.parts).toEqual({
      rollout: 2,
      format: 0.5,
      tests: 0.75,
      model: expect.closeTo(-0.3, 12),
      length: -0.25,
    })
    expect(digits!.reward).toBeCloseTo(2.7, 12)
    expect(other!.parts).toMatchObject({ rollout: 0, format: 0, tests: 0.5, length: 0 })
    expect(rewards.names).toEqual(['rollout', 'format', 'tests', 'model', 'length'])
  })

  it('gives all or nothing for tests unless asked for their share', async () => {
    const part = testsPassed<string>({
      judge: async ({ text }) => ({ testsPassed: text.length, testsTotal: 2 }),
    })
    expect(await part.score([answer('a'), answer('ab')])).toEqual([0, 1])
  })

  it('judges the same text alike each time, also by a global pattern', async () => {
    const part = rule('letter', /a/g)
    expect(await part.score([answer('a'), answer('a'), answer('a')])).toEqual([1, 1, 1])
  })

  it('refuses parts without names, with one name, and scores that are missing or not finite', async () => {
    expect(() => composeRewards([])).toThrow('there are no parts')
    expect(() => composeRewards([rule('a', /x/), rule('a', /y/)])).toThrow('two parts are named "a"')
    expect(() => composeRewards([rule('a', /x/, { weight: Number.NaN })])).toThrow('weight of "a" is NaN')
    const broken = composeRewards([scoredBy('broken', () => [Number.NaN])])
    await expect(broken.score([answer('a')])).rejects.toThrow('"broken" gave NaN for answer 0')
    await expect(broken.score([answer('a'), answer('b')])).rejects.toThrow('1 scores for 2 answers')
    const impossible = testsPassed({ judge: async () => ({ testsPassed: 3, testsTotal: 2 }) })
    await expect(impossible.score([answer('a')])).rejects.toThrow('3 of 2 tests')
  })

  it.each<[() => unknown, string]>([
    [
      () => rule('x', 'text' as never),
      `rule "x": its second argument must be a pattern (/like this/) or a function of the text, got 'text'`,
    ],
    [
      () => scoredBy('x', 3 as never),
      'scoredBy "x": its second argument must be a function of answers, got 3',
    ],
    [() => testsPassed({} as never), 'testsPassed: judge must be a function, got undefined'],
    [
      () => constraint('x', 3 as never),
      'constraint "x": its second argument must be a function of an answer, got 3',
    ],
    [
      () => forbiddenPatterns(['eval'] as never),
      "must be an array of patterns, such as [/eval/], got [ 'eval' ]",
    ],
    [
      () => lengthPenalty('liner' as never),
      "lengthPenalty: kind must be linear | soft-overlong, got 'liner'",
    ],
    [
      () => composeRewards(undefined as never),
      'must be an array of parts, such as [rolloutReward()], got undefined',
    ],
    [() => composeRewards([{ name: 'x' } as never]), 'score of "x" must be a function, got undefined'],
    [() => composeRewards([undefined as never]), 'every part needs a name'],
  ])('is refused when it is made, not when it first scores: %s', (make, message) => {
    expect(make).toThrow(message)
  })
})

describe('constraint', () => {
  it('raises its multiplier while the cost is above the limit, and lowers it to 0 below', () => {
    const part = constraint<string>('tokens', ({ tokens }) => tokens, { limit: 5, rate: 0.5, largest: 2 })
    expect(part.score([answer('', 9)])).toEqual([0])
    expect(part.update!([answer('', 9), answer('', 3)])).toEqual({
      'multiplier/tokens': 0.5,
      'cost/tokens': 6,
    })
    expect(part.score([answer('', 9)])).toEqual([-4.5])
    expect(part.update!([answer('', 100)])).toMatchObject({ 'multiplier/tokens': 2 })
    expect(part.update!([answer('', 0)])).toMatchObject({ 'multiplier/tokens': 0 })
  })

  it('goes on from what was saved', () => {
    const make = () => composeRewards([maximumLength(4), forbiddenPatterns([/eval/g], { initial: 1 })])
    const trained = make()
    const metrics = trained.update([answer('eval eval', 8), answer('fine', 4)])
    expect(metrics).toEqual({
      'multiplier/maximum length': 0.05,
      'cost/maximum length': 0.5,
      'multiplier/forbidden patterns': 1.05,
      'cost/forbidden patterns': 0.5,
    })
    const resumed = make()
    resumed.load(JSON.parse(JSON.stringify(trained.save())))
    expect(resumed.save()).toEqual({ 'maximum length': 0.05, 'forbidden patterns': 1.05 })
    expect(() => resumed.load({ 'maximum length': 'x' })).toThrow('the saved multiplier is x')
  })

  it('changes no multiplier without answers, and refuses a cost that is not a number', () => {
    const part = constraint('cost', () => Number.NaN, { initial: 3 })
    expect(part.update!([])).toEqual({ 'multiplier/cost': 3 })
    expect(() => part.update!([answer('a')])).toThrow('mean cost is NaN')
    expect(() => maximumLength(0)).toThrow('above 0')
  })
})
