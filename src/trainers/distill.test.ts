import { beforeAll, describe, expect, it } from 'vitest'
import { type Model, newModel } from '../engine/index.ts'
import { trainTokenizer } from '../text/index.ts'
import { collectAccepted } from './collect-accepted.ts'
import { type DistillOptions, distill } from './distill.ts'
import type { Conversation } from './marked-tokens.ts'
import { sampleAnswers } from './sample-answers.ts'
import { sft } from './sft.ts'
import { byteModel, byteTokenizer, trainableBytes } from './testing/byte-model.ts'
import { reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'

interface Question extends Conversation {
  right: string
}
const letters = [...'abcdef']
const prompts: Question[] = letters.map((letter) => ({
  messages: [{ role: 'user', content: letter }],
  right: letter.toUpperCase(),
}))
const judge = ({ prompt, text }: { prompt: Question; text: string }) => text === prompt.right
const optimizer = { learningRate: 0.01 }

/** Answers right or `?`, about as often. */
let teacher: Model
beforeAll(async () => {
  const model = await trainableBytes(undefined, 7)
  const examples = prompts.flatMap(({ messages, right }) =>
    [right, '?'].map((content) => ({ messages: [...messages, { role: 'assistant' as const, content }] })),
  )
  await reportsOf(
    sft({ model, examples, optimizer: { learningRate: 0.02 }, epochs: 40, batch: { examples: 12 } }),
  )
  teacher = await model.snapshot()
})

async function shareRight(model: Model): Promise<number> {
  const samples = await sampleAnswers({ model, prompts, count: 8, maxTokens: 4, seedOf: (prompt) => prompt })
  const right = samples.flatMap((own, i) => own.filter(({ text }) => text === prompts[i]!.right))
  return right.length / 48
}

describe('distill', () => {
  it('makes a student better than its teacher by what the judge accepts, but not where it accepts at random', async () => {
    const train = async (more: Partial<DistillOptions<Question>>) => {
      const model = await trainableBytes(undefined, 3)
      const options = { model, teacher, prompts, judge, maxTokens: 4, samplesPerPrompt: 8 }
      await reportsOf(distill({ ...options, optimizer, steps: 60, ...more }))
      return shareRight(model)
    }
    expect(await shareRight(teacher)).toBeLessThan(0.75)
    expect(await train({})).toBeGreaterThan(0.9)
    expect(await train({ judge: ({ text }) => text === '?' })).toBeLessThan(0.1)
    expect(await train({ optimizer: { learningRate: 0 }, steps: 2 })).toBe(0)
  })

  it('repeats to the bit, broken off or not', async () => {
    await expectRepeatable(async (run) => {
      const model = await trainableBytes(undefined, 3)
      const options = { model, teacher, prompts, judge, maxTokens: 4, batch: { examples: 2 }, run }
      return { model, stage: distill({ ...options, optimizer }) }
    })
  })

  it('gives a student with another tokenizer the words instead of the tokens', async () => {
    const { chatTemplate } = await byteTokenizer()
    const tokenizer = await trainTokenizer(['a'], {
      vocabularySize: 261,
      specialTokens: ['<|pad|>', '<|end|>', '<|mask|>', '<|im_start|>', '<|im_end|>'],
      eosToken: '<|end|>',
      chatTemplate: chatTemplate!,
    })
    const config = { ...(await byteModel()).info.config, vocab_size: 261 }
    const student = await newModel(config, tokenizer, { precision: 'f32', threads: 2, seed: 3 })
    const model = await student.trainable({ full: true })
    const options = { model, teacher, prompts, judge, maxTokens: 4, samplesPerPrompt: 8 }
    await reportsOf(distill({ ...options, optimizer, steps: 60 }))
    expect(await shareRight(model)).toBeGreaterThan(0.8)
  })

  it('says what was not accepted, and refuses to train on nothing', async () => {
    const start = async (by: DistillOptions<Question>['judge']) => {
      const model = await trainableBytes()
      return reportsOf(distill({ model, teacher, prompts, judge: by, maxTokens: 4, optimizer, steps: 1 }))
    }
    const [report] = await start(({ prompt, text }) => prompt.right === 'A' && text !== '?')
    expect(report!.warnings[0]).toMatch(/of 24 samples accepted .*, 5 of 6 prompts without an accepted one$/)
    expect(report!.rollouts).toEqual([
      { messages: [...prompts[0]!.messages, { role: 'assistant', content: 'A' }] },
    ])
    await expect(start(() => false)).rejects.toThrow('distill: 0 of 24 samples accepted')
    await expect(start(() => 1 as unknown as boolean)).rejects.toThrow('the judge said 1')
  })
})

describe('collectAccepted', () => {
  it('keeps the tokens drawn, counts what it did not keep, and gives the same again', async () => {
    const options = { teacher, prompts, judge, maxTokens: 4, samplesPerPrompt: 8, seed: 4 }
    const first = await collectAccepted(options)
    expect(await collectAccepted(options)).toEqual(first)
    const { sampled, truncated, duplicates, accepted, promptsWithout } = first.counts
    expect([sampled, accepted, promptsWithout]).toEqual([
      48,
      first.accepted.length,
      6 - first.accepted.length,
    ])
    expect(duplicates).toBeGreaterThan(20)
    expect(truncated).toBeLessThan(5)
    for (const { tokens, mask, prompt } of first.accepted) {
      const answer = tokens.filter((_, t) => mask[t] === 1)
      expect(teacher.tokenizer.decode(answer)).toBe(`${prompt.right}<|im_end|>`)
    }
  })

  it('never accepts an answer that was cut off', async () => {
    const { counts } = await collectAccepted({ teacher, prompts, judge: () => true, maxTokens: 1 })
    expect(counts.truncated).toBe(24)
    expect(counts.accepted).toBe(0)
  })

  it('keeps no more of a prompt than asked for', async () => {
    const all = { teacher, prompts, judge: () => true, maxTokens: 4, samplesPerPrompt: 8, keepPerPrompt: 1 }
    expect((await collectAccepted(all)).accepted.length).toBe(6)
  })
})
