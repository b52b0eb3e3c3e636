import { beforeAll, describe, expect, it } from 'vitest'
import type { MessagesExample } from '../data/index.ts'
import type { TrainableModel } from '../engine/index.ts'
import { loadTokenizer, type Tokenizer } from '../text/index.ts'
import { encodeMessages } from './encode-messages.ts'
import { measureLoss } from './measure-loss.ts'
import { type SftOptions, sft } from './sft.ts'
import { byteModel, byteTokenizer, trainableBytes } from './testing/byte-model.ts'
import { reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'

const turn = (letter: string, answer = letter.toUpperCase()): MessagesExample['messages'] => [
  { role: 'user', content: letter },
  { role: 'assistant', content: answer },
]
const letters = [...'abcdefgh']
/** Two turns, so that the second answer follows an exchange. */
const examples = letters.map((letter, i) => ({ messages: [...turn(letter), ...turn(letters[(i + 3) % 8]!)] }))
const shifted = letters.map((letter, i) => ({ messages: turn(letter, letters[(i + 1) % 8]!.toUpperCase()) }))
const optimizer = { learningRate: 0.01, warmupSteps: 3 }

let tokenizer: Tokenizer
beforeAll(async () => {
  tokenizer = await byteTokenizer()
})

async function correctAnswers(model: TrainableModel): Promise<number> {
  let correct = 0
  for (const letter of letters) {
    const prompt = tokenizer.encode(`<|im_start|>u:${letter}<|im_end|><|im_start|>a:`)
    const stopTokens = [tokenizer.tokenToId('<|im_end|>')!]
    const [sample] = await model.sample({ prompt, maxTokens: 4, temperature: 0, stopTokens })
    if (sample!.stopReason === 'stop' && sample!.text === letter.toUpperCase()) correct++
  }
  return correct
}

describe('sft', () => {
  it('learns to answer, where a model trained on wrong answers or at learning rate 0 does not', async () => {
    const train = async (more: Partial<SftOptions>) => {
      const model = await trainableBytes()
      await reportsOf(sft({ model, examples, optimizer, batch: { examples: 8 }, steps: 60, ...more }))
      return correctAnswers(model)
    }
    expect(await train({})).toBe(8)
    expect(await train({ examples: shifted })).toBe(0)
    expect(await train({ optimizer: { learningRate: 0 }, steps: 3 })).toBe(0)
  })

  it.each([
    { method: { full: true } as const, precision: 'f32' as const },
    { method: { lora: { rank: 2 } }, precision: 'bf16' as const },
  ])('repeats to the bit, broken off or not, with %o', async ({ method, precision }) => {
    await expectRepeatable(async (run) => {
      const model = await (await byteModel(1, precision)).trainable(method)
      return { model, stage: sft({ model, examples, optimizer, batch: { examples: 3 }, epochs: 2, run }) }
    }, 3)
  })

  it('gives the same metrics in parts and by itself', async () => {
    const losses = async (accumulation: number) => {
      const model = await trainableBytes()
      const options = {
        model,
        examples,
        optimizer: { ...optimizer, accumulation },
        batch: { examples: 8 },
        steps: 5,
      }
      return (await reportsOf(sft(options))).map(({ metrics }) => metrics.nll!)
    }
    const [whole, parts] = [await losses(1), await losses(3)]
    for (const [step, nll] of whole.entries()) expect(parts[step]).toBeCloseTo(nll, 4)
  })

  it('measures, keeps the best and stops early', async () => {
    const model = await trainableBytes()
    const heldOut = encodeMessages(tokenizer, [{ messages: turn('a', 'zzz') }], { maxTokens: 64 }).examples
    const reports = await reportsOf(
      sft({
        model,
        examples,
        optimizer: { learningRate: 0.02 },
        steps: 100,
        evaluate: {
          every: 5,
          measure: () => measureLoss(model, heldOut),
          best: { metric: 'loss', goal: 'minimum' },
          patience: 2,
        },
      }),
    )
    expect(reports.length).toBeLessThan(100)
    expect(reports.at(-1)!.evaluation!.perplexity).toBeCloseTo(Math.exp(reports.at(-1)!.evaluation!.loss!), 6)
  })

  it('says in its first report what was cut or left out', async () => {
    const model = await trainableBytes()
    const long = { messages: turn('a', 'long '.repeat(40)) }
    const start = (overlong: 'drop' | 'truncate' | 'throw') =>
      reportsOf(sft({ model, examples: [...examples, long], overlong, optimizer, epochs: 1 }))
    const dropped = await start('drop')
    expect(dropped[0]!.warnings).toEqual(['1 row left out: longer than 128 tokens'])
    expect(dropped[1]?.warnings ?? []).toEqual([])
    expect((await start('truncate'))[0]!.warnings).toEqual(['1 row cut to 128 tokens'])
    await expect(start('throw')).rejects.toThrow(/conversation 8 has 2\d\d tokens; the most is 128/)
  })

  it('refuses options and conversations that would train nothing', async () => {
    const model = await trainableBytes()
    const start = (more: object) => expect(reportsOf(sft({ model, examples, optimizer, ...more }))).rejects
    await start({ maxTokens: 129 }).toThrow("sft: maxTokens is 129; the model's context has 128 tokens")
    await start({ examples: [] }).toThrow('sft: examples')
    await start({ epochs: 1e12 }).toThrow(/^sft: epochs: .*<=100000, got 1000000000000$/)
    await start({ examples: [{ messages: [{ role: 'user', content: 'a' }] }] }).toThrow('would train nothing')
    await start({ lossOptions: {} }).toThrow('unknown option "lossOptions"')
    await start({ loss: { agregation: 'token-sum' } }).toThrow('unknown option "agregation"')
    await start({ model: {} }).toThrow('sft: model: must be a model to train')
  })
})

/** The text of each unbroken run of trained tokens. */
function trained(conversations: MessagesExample[], options = {}, by = tokenizer): string[] {
  return encodeMessages(by, conversations, { maxTokens: 400, ...options }).examples.map(
    ({ sequences, masks }) => by.decode(sequences[0]!.target.filter((_, t) => masks[0]![t] === 1)),
  )
}

describe('encodeMessages', () => {
  it('trains on every answer with its end, and asks for nothing else', () => {
    expect(trained([examples[0]!])).toEqual(['A<|im_end|>D<|im_end|>'])
    const [example] = encodeMessages(tokenizer, [examples[0]!], { maxTokens: 400 }).examples
    expect(example!.sequences[0]!.target.filter((_, t) => example!.masks[0]![t] === 0)).toSatisfy(
      (rest: Int32Array) => rest.every((token) => token === -1),
    )
  })

  it('trains on the last answer, or on each in a row of its own', () => {
    expect(trained([examples[0]!], { answers: 'last' })).toEqual(['D<|im_end|>'])
    expect(trained([examples[0]!], { answers: 'each' })).toEqual(['A<|im_end|>', 'D<|im_end|>'])
  })

  it('trains each turn of a template that forgets earlier reasoning only in rows of their own', () => {
    const forgetful = loadTokenizer({
      tokenizerJson: tokenizer.toJson(),
      eosToken: '<|end|>',
      chatTemplate:
        '{% for m in messages %}<|im_start|>{{ m.role[0] }}:{% if m.reasoning_content and loop.last %}({{ m.reasoning_content }}){% endif %}{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>a:{% endif %}',
    })
    const thinking = ['1', '2'].map((n) => [
      { role: 'user' as const, content: n },
      { role: 'assistant' as const, content: n, reasoning: `r${n}` },
    ])
    const conversation = [{ messages: thinking.flat() }]
    expect(() => trained(conversation, {}, forgetful)).toThrow(/^conversation 0: .*marked: 'last'/)
    expect(trained(conversation, { answers: 'each' }, forgetful)).toEqual([
      '(r1)1<|im_end|>',
      '(r2)2<|im_end|>',
    ])
  })

  it('trains on tool calls and not on tool results', () => {
    const call = { id: '1', name: 'add', arguments: { a: 1 } }
    const conversation: MessagesExample = {
      messages: [
        { role: 'user', content: 'add' },
        { role: 'assistant', content: '', toolCalls: [call] },
        { role: 'tool', content: 'the result', toolCallId: '1' },
        { role: 'assistant', content: 'done' },
      ],
      tools: [{ name: 'add', parameters: { type: 'object' } }],
    }
    const [text] = trained([conversation], { maxTokens: 2000 })
    expect(text).toContain('"name":"add"')
    expect(text).toContain('done<|im_end|>')
    expect(text).not.toContain('the result')
  })

  it('counts what it leaves out', () => {
    const conversations = [
      examples[0]!,
      { messages: [{ role: 'user' as const, content: 'a' }] },
      { messages: turn('a', 'x'.repeat(100)) },
    ]
    const options = { maxTokens: 40, untrainable: 'drop' } as const
    const { examples: rows, notes, ...counts } = encodeMessages(tokenizer, conversations, options)
    expect(rows.length).toBe(1)
    expect(counts).toEqual({ truncated: 0, dropped: 1, untrainable: 1 })
    expect(notes.length).toBe(2)
    expect(() => encodeMessages(tokenizer, conversations.slice(1), options)).toThrow(
      'none of 2 conversations',
    )
  })
})
