import { beforeAll, describe, expect, it } from 'vitest'
import { type StepSolution, seededRandom } from '../data/index.ts'
import type { Tokenizer } from '../text/index.ts'
import { encodeSteps, splitSteps, stepEnds } from './encode-steps.ts'
import { type ProcessRewardOptions, processReward } from './process-reward.ts'
import { bestOfN, combineSteps, measureSteps, scoreSteps, stepRewards } from './score-steps.ts'
import { byteTokenizer, trainableBytes } from './testing/byte-model.ts'
import { reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'

const prompt = [{ role: 'user' as const, content: 'q' }]

/** A step is right when it says `ok`. */
function solutionsOf(seed: number, count: number): StepSolution[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => {
    const labels = Array.from({ length: random.integer(1, 4) }, () => random.next() < 0.5)
    const steps = labels.map((right) => `${random.pick(['a', 'b', 'c'])} ${right ? 'ok' : 'no'}`)
    return { prompt, steps, labels }
  })
}

const solutions = solutionsOf(1, 24)
const heldOut = solutionsOf(2, 16)
const random = seededRandom('labels')
const mislabelled = solutions.map((solution) => ({
  ...solution,
  labels: solution.labels.map(() => random.next() < 0.5),
}))
const optimizer = { learningRate: 0.01 }

let tokenizer: Tokenizer
beforeAll(async () => {
  tokenizer = await byteTokenizer()
})

async function trained(more: Partial<ProcessRewardOptions> = {}) {
  const model = await trainableBytes('value')
  await reportsOf(processReward({ model, solutions, optimizer, epochs: 8, ...more }))
  return model
}

describe('processReward', () => {
  it('learns to judge steps that it has not seen, where random labels or learning rate 0 teach it nothing', async () => {
    expect((await measureSteps(await trained(), heldOut)).accuracy).toBeGreaterThan(0.95)
    expect((await measureSteps(await trained({ solutions: mislabelled }), heldOut)).accuracy).toBeLessThan(
      0.8,
    )
    const still = await trained({ optimizer: { learningRate: 0 }, epochs: 1 })
    expect(await measureSteps(still, heldOut)).toEqual(
      await measureSteps(await trainableBytes('value'), heldOut),
    )
  })

  it('repeats to the bit, broken off or not', async () => {
    await expectRepeatable(async (run) => {
      const model = await trainableBytes('value')
      return { model, stage: processReward({ model, solutions, optimizer, batch: { examples: 5 }, run }) }
    })
  })

  it('refuses labels that do not match, and counts solutions that are too long', async () => {
    const model = await trainableBytes('value')
    const start = (more: Partial<ProcessRewardOptions>) =>
      reportsOf(processReward({ model, solutions, optimizer, ...more }))
    await expect(start({ solutions: [{ prompt, steps: ['a'], labels: [] }] })).rejects.toThrow(
      'solution 0 has 1 steps and 0 labels',
    )
    const long = { prompt, steps: ['x'.repeat(200)], labels: [true] }
    const [first] = await start({ solutions: [...solutions, long] })
    expect(first!.warnings).toEqual(['1 of 25 solutions left out: longer than 128 tokens'])
    await expect(start({ solutions: [long] })).rejects.toThrow('each of 1 solutions is longer than 128')
  })
})

describe('steps', () => {
  it('score the same with whatever follows, and bestOfN takes the answer whose steps are all right', async () => {
    const model = await trained()
    const [one] = await scoreSteps(model, [{ prompt, steps: ['a ok', 'b'] }])
    const [two] = await scoreSteps(model, [{ prompt, steps: ['a ok', 'c no', 'b ok'] }])
    expect(one![0]).toBe(two![0])
    const answers = ['a ok\n\nb no', '', 'b ok\n\na ok', 'c no']
    const { best, scores } = await bestOfN(model, prompt, answers)
    expect(best).toBe(2)
    expect(scores[1]).toBe(0)
    await expect(bestOfN(model, prompt, [])).rejects.toThrow('no answers')
  })

  it('earn rewards at their last tokens that add up to the last probability', async () => {
    const model = await trained()
    const steps = ['a ok', 'b no', 'c ok']
    const { tokens, ends } = encodeSteps(tokenizer, { prompt, steps })
    const mask = new Uint8Array(tokens.length).fill(1, ends[0]! - 5)
    const [scores] = await scoreSteps(model, [{ prompt, steps }])
    const [difference] = await stepRewards(model, [{ tokens, mask }])
    const [probability] = await stepRewards(model, [{ tokens, mask }], { form: 'probability' })
    expect(difference!.reduce((sum, reward) => sum + reward, 0)).toBeCloseTo(scores![2]!, 12)
    expect(difference![ends[1]!]).toBeLessThan(-0.3)
    expect([...probability!].filter((reward) => reward !== 0)).toEqual(scores)
  })

  it('are combined by product, minimum, last or mean', () => {
    const ways = ['product', 'minimum', 'last', 'mean'] as const
    expect(ways.map((way) => combineSteps([0.5, 0.25, 0.75], way))).toEqual([0.09375, 0.25, 0.75, 0.5])
    expect(() => combineSteps([])).toThrow('no steps')
    expect(() => combineSteps([1], 'sum' as 'mean')).toThrow('product, minimum, last, mean')
  })
})

describe('stepEnds', () => {
  const endsOf = (answer: string) => {
    const tokens = tokenizer.encode(answer)
    return stepEnds(tokenizer, tokens, new Uint8Array(tokens.length).fill(1)).map((end) =>
      tokenizer.decode(tokens.slice(0, end + 1)),
    )
  }

  it('finds the tokens that complete a separator, and the last one', () => {
    expect(endsOf('ab\n\ncd\n\ne<|im_end|>')).toEqual(['ab\n\n', 'ab\n\ncd\n\n', 'ab\n\ncd\n\ne<|im_end|>'])
    expect(endsOf('ab')).toEqual(['ab'])
  })

  it('ends no step where nothing was written', () => {
    expect(endsOf('ab\n\n\n\n<|im_end|>')).toEqual(['ab\n\n'])
    expect(endsOf('\n\nab')).toEqual(['\n\nab'])
  })

  it('passes over what the policy did not draw', () => {
    const tokens = tokenizer.encode('a\n\nTOOL\n\nb')
    const mask = Uint8Array.from(tokens, (_, t) => (t < 3 || t >= tokens.length - 1 ? 1 : 0))
    expect(stepEnds(tokenizer, tokens, mask)).toEqual([2, tokens.length - 1])
    expect(stepEnds(tokenizer, tokens, new Uint8Array(tokens.length))).toEqual([])
  })
})

describe('encodeSteps', () => {
  it('ends each step with its separator, and special tokens in its text are characters', () => {
    const { tokens, ends } = encodeSteps(tokenizer, { prompt, steps: ['a', '<|end|>'] })
    const upTo = (end: number | undefined) => tokenizer.decode(tokens.slice(0, end! + 1))
    expect(upTo(ends[0])).toBe('<|im_start|>u:q<|im_end|><|im_start|>a:a\n\n')
    expect(ends[1]).toBe(tokens.length - 1)
    expect(tokens.length - ends[0]!).toBe(8)
    expect(() => encodeSteps(tokenizer, { prompt, steps: [] })).toThrow('no steps')
    expect(() => encodeSteps(tokenizer, { prompt, steps: ['a', ''] })).toThrow(
      'step 1 of a solution has no text',
    )
  })
})

describe('splitSteps', () => {
  it('is undone by encodeSteps', () => {
    const steps = splitSteps('a\n\n\n\nb ')
    expect(steps).toEqual(['a', 'b '])
    expect(tokenizer.decode(encodeSteps(tokenizer, { prompt, steps }).tokens)).toContain('a\n\nb ')
  })
})
