import { generateText, type ModelMessage, ToolLoopAgent, tool } from 'ai'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { loadTokenizer, renderChat } from '../text/index.ts'
import { createPolicy } from './policy.ts'
import type { RecordedCalls } from './segments.ts'
import { chatTokenizer, type Family, familyNames } from './testing/chat-tokenizers.ts'
import { type ScriptedModel, scriptedModel } from './testing/scripted-model.ts'

const lookUp = tool({
  description: 'Looks up',
  inputSchema: z.object({ key: z.string(), limit: z.number().default(5) }),
  execute: ({ key }) => `value of ${key}`,
})

function drawn({ segments }: RecordedCalls): number[] {
  return segments.flatMap(({ tokens, mask }) => [...tokens].filter((_, index) => mask[index]))
}

/** Each request began with some segment's tokens as they were, and every drawn token is drawn in one segment. */
function expectExact(model: ScriptedModel, recorded: RecordedCalls): void {
  const sampled = model.samples.flatMap(({ tokens }) => [...tokens])
  expect(drawn(recorded).sort()).toEqual(sampled.sort())
  for (const sample of model.samples) {
    const whole = [...sample.promptTokens, ...sample.tokens]
    const inSegment = recorded.segments.some(({ tokens }) =>
      whole.every((token, index) => tokens[index] === token),
    )
    expect(inSegment).toBe(true)
  }
  for (const { tokens, mask, logprobs, versions } of recorded.segments) {
    expect([mask.length, logprobs.length, versions.length]).toEqual(Array(3).fill(tokens.length))
    versions.forEach((version, index) => {
      expect(version).toBe(mask[index] ? 7 : -1)
    })
  }
}

/** One token a character, and a space before the first character of a text, as SentencePiece has it. */
function spacingTokenizer(chatTemplate: string | undefined) {
  const special = ['<|im_start|>', '<|im_end|>']
  const characters = ['▁', '\n', ...'abcdefghijklmnopqrstuvwxyz']
  const json = {
    version: '1.0',
    added_tokens: special.map((content, id) => ({
      id,
      content,
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false },
    post_processor: null,
    decoder: { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries([...special, ...characters].map((text, id) => [text, id])),
      merges: [],
    },
  }
  return loadTokenizer({ tokenizerJson: JSON.stringify(json), chatTemplate, eosToken: '<|im_end|>' })
}

async function recordingPolicy(family: Family, answer: Parameters<typeof scriptedModel>[1]) {
  const model = scriptedModel(await chatTokenizer(family), answer)
  const policy = createPolicy(model)
  const recording = policy.startRecording()
  return { model, recording, languageModel: policy.languageModel({ recording }) }
}

const calls: Partial<Record<Family, (key: string) => string>> = {
  hermes: (key) => `<tool_call>{"arguments":{"key" : "${key}"}, "name":"lookUp"}</tool_call>`,
  thinking: (key) =>
    `<think>I need ${key}</think><tool_call>{"name":"lookUp","arguments":{"key":"${key}"}}</tool_call>`,
  llama: (key) => `{"name":"lookUp",  "parameters":{"key":"${key}"}}`,
  mistral: (key) => `[TOOL_CALLS][{"name":"lookUp","arguments":{"key":"${key}"}}]`,
}

describe('a conversation', () => {
  it.each(Object.keys(calls) as Family[])(
    'of several steps with tools is one segment, letter by letter as drawn: %s',
    async (family) => {
      let turn = 0
      const { model, recording, languageModel } = await recordingPolicy(family, () =>
        turn++ < 3 ? (calls[family] as (key: string) => string)(`k${turn}`) : 'the answer',
      )
      const agent = new ToolLoopAgent({ model: languageModel, instructions: 'Look up.', tools: { lookUp } })
      await agent.generate({ prompt: 'go' })
      const recorded = recording.read()
      expect(recorded.segments).toHaveLength(1)
      expect(recorded.prefixBreaks).toBe(0)
      expectExact(model, recorded)
      const { tokens } = recorded.segments[0]!
      const text = model.tokenizer.decode(tokens)
      expect(text).toContain('value of k3')
      expect(tokens).not.toEqual(model.tokenizer.encode(text))
      expect(recorded.calls.map(({ messages }) => messages.map(({ role }) => role))).toEqual([
        ['system', 'user'],
        ['tool'],
        ['tool'],
        ['tool'],
      ])
    },
  )

  it.each(familyNames)(
    'of several questions is one segment and reads as the template writes it: %s',
    async (family) => {
      let turn = 0
      const { model, recording, languageModel } = await recordingPolicy(family, () => `the answer ${++turn}`)
      const messages: ModelMessage[] = []
      for (const question of ['a', 'b', 'c']) {
        messages.push({ role: 'user', content: question })
        messages.push(...(await generateText({ model: languageModel, messages })).responseMessages)
      }
      const recorded = recording.read()
      expect(recorded).toMatchObject({ segments: [{}], prefixBreaks: 0, truncated: false })
      expectExact(model, recorded)
      const whole = renderChat(
        model.tokenizer,
        messages.map(({ role, content }) => ({
          role: role as 'user',
          content: typeof content === 'string' ? content : (content[0] as { text: string }).text,
        })),
      )
      const text = model.tokenizer.decode(recorded.segments[0]!.tokens)
      if (family !== 'plain') expect(whole.startsWith(text)).toBe(true)
      else
        expect(text).toBe(
          'USER: a\nASSISTANT:the answer 1<|end|>\nUSER: b\nASSISTANT:the answer 2<|end|>\nUSER: c\nASSISTANT:the answer 3<|end|>',
        )
    },
  )

  it('goes on after an answer cut at its limit or by a stop string with the template’s end of turn, not drawn', async () => {
    for (const setting of [{ maxOutputTokens: 5 }, { stopSequences: ['an'] }]) {
      const { model, recording, languageModel } = await recordingPolicy('hermes', () => 'the answer')
      const messages: ModelMessage[] = [{ role: 'user', content: 'a' }]
      messages.push(...(await generateText({ model: languageModel, messages, ...setting })).responseMessages)
      messages.push({ role: 'user', content: 'b' })
      await generateText({ model: languageModel, messages })
      const recorded = recording.read()
      expect(recorded).toMatchObject({
        segments: [{}],
        prefixBreaks: 0,
        truncated: 'maxOutputTokens' in setting,
      })
      expectExact(model, recorded)
      const cut = 'maxOutputTokens' in setting ? 'the a' : 'the an'
      const { tokens, mask } = recorded.segments[0]!
      expect(model.tokenizer.decode(tokens)).toContain(`${cut}<|im_end|>\n<|im_start|>user\nb<|im_end|>`)
      const ends = [...tokens].flatMap((token, index) =>
        token === model.tokenizer.eosTokenId ? [mask[index]] : [],
      )
      expect(ends).toEqual([0, 0, 0, 1])
    }
  })

  it('is encoded as part of its text where the tokenizer puts a space before a text', async () => {
    const tokenizer = spacingTokenizer((await chatTokenizer('hermes')).chatTemplate)
    expect(tokenizer.addsPrefixSpace).toBe(true)
    const model = scriptedModel(tokenizer, () => 'yes', { asEncoded: true })
    const policy = createPolicy(model)
    const recording = policy.startRecording()
    const languageModel = policy.languageModel({ recording })
    const messages: ModelMessage[] = [{ role: 'user', content: 'a' }]
    for (const setting of [{}, { maxOutputTokens: 2 }, {}]) {
      const { responseMessages } = await generateText({ model: languageModel, messages, ...setting })
      messages.push(...responseMessages, { role: 'user', content: 'b' })
    }
    const recorded = recording.read()
    expect(recorded).toMatchObject({ segments: [{}], prefixBreaks: 0 })
    expectExact(model, recorded)
    const { tokens } = recorded.segments[0]!
    expect(tokenizer.decode(tokens)).toBe(
      ['a', 'b', 'b']
        .map((question, turn) => {
          const answer = turn === 1 ? ' y' : ' yes'
          return `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n${answer}<|im_end|>`
        })
        .join('\n'),
    )
  })

  it('ended by another end token than the template’s still gets the template’s', async () => {
    const tokenizer = await chatTokenizer('hermes')
    const other = tokenizer.encode('<|im_start|>')[0] as number
    const model = scriptedModel({ ...tokenizer, eosTokenId: other, stopTokenIds: [other] }, () => 'yes')
    const policy = createPolicy(model)
    const recording = policy.startRecording()
    const messages: ModelMessage[] = [{ role: 'user', content: 'a' }]
    messages.push(
      ...(await generateText({ model: policy.languageModel({ recording }), messages })).responseMessages,
    )
    await generateText({
      model: policy.languageModel({ recording }),
      messages: [...messages, { role: 'user', content: 'b' }],
    })
    expect(tokenizer.decode(recording.read().segments[0]!.tokens)).toContain(
      'yes<|im_start|><|im_end|>\n<|im_start|>user\nb',
    )
  })
})

describe('a history that is not what was drawn splits the trajectory and is counted', () => {
  async function converse(
    family: Family,
    answer: string,
    edit: (messages: ModelMessage[]) => ModelMessage[],
  ) {
    const { model, recording, languageModel } = await recordingPolicy(family, () => answer)
    const messages: ModelMessage[] = [
      { role: 'system', content: 'Be good.' },
      { role: 'user', content: 'a' },
    ]
    const allowSystemInMessages = true
    const first = await generateText({ model: languageModel, messages, allowSystemInMessages })
    messages.push(...first.responseMessages, { role: 'user', content: 'b' })
    await generateText({ model: languageModel, messages: edit(messages), allowSystemInMessages })
    const recorded = recording.read()
    expectExact(model, recorded)
    return recorded
  }

  it('where the system message changed', async () => {
    const edit = ([, ...rest]: ModelMessage[]): ModelMessage[] => [
      { role: 'system', content: 'Be bad.' },
      ...rest,
    ]
    expect(await converse('hermes', 'yes', edit)).toMatchObject({ segments: [{}, {}], prefixBreaks: 1 })
  })

  it('where an answer was edited', async () => {
    const edit = (messages: ModelMessage[]) =>
      messages.map(
        (message): ModelMessage =>
          message.role === 'assistant' ? { role: 'assistant', content: 'no' } : message,
      )
    expect(await converse('hermes', 'yes', edit)).toMatchObject({ segments: [{}, {}], prefixBreaks: 1 })
  })

  it('where the tools changed', async () => {
    const { model, recording, languageModel } = await recordingPolicy('hermes', () => 'yes')
    const messages: ModelMessage[] = [{ role: 'user', content: 'a' }]
    const options = { model: languageModel, tools: { lookUp } }
    messages.push(...(await generateText({ ...options, messages })).responseMessages)
    messages.push({ role: 'user', content: 'b' })
    await generateText({ ...options, messages, tools: { lookUp, find: lookUp } })
    expect(recording.read()).toMatchObject({ segments: [{}, {}], prefixBreaks: 1 })
    expectExact(model, recording.read())
  })

  it('and keeps what came before an edited answer', async () => {
    const { model, recording, languageModel } = await recordingPolicy('hermes', () => 'yes')
    const messages: ModelMessage[] = []
    for (const content of ['a', 'b']) {
      messages.push({ role: 'user', content })
      messages.push(...(await generateText({ model: languageModel, messages })).responseMessages)
    }
    messages.splice(3, 1, { role: 'assistant', content: 'no' }, { role: 'user', content: 'c' })
    await generateText({ model: languageModel, messages })
    const recorded = recording.read()
    expect(recorded).toMatchObject({ segments: [{}, {}], prefixBreaks: 1 })
    expectExact(model, recorded)
    const [first] = model.samples
    const shared = [...first!.promptTokens, ...first!.tokens]
    expect([...recorded.segments[1]!.tokens].slice(0, shared.length)).toEqual(shared)
    expect(recorded.calls[2]?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
  })

  it('but not where its tokens come out the same after all', async () => {
    const model = scriptedModel(await chatTokenizer('hermes'), () => '<think>\nhm\n</think>\n\nyes', {
      asEncoded: true,
    })
    const policy = createPolicy(model)
    const recording = policy.startRecording()
    const languageModel = policy.languageModel({ recording })
    const question: ModelMessage = { role: 'user', content: 'a' }
    await generateText({ model: languageModel, messages: [question] })
    const whole: ModelMessage = { role: 'assistant', content: '<think>\nhm\n</think>\n\nyes' }
    await generateText({ model: languageModel, messages: [question, whole, question] })
    expect(recording.read()).toMatchObject({ segments: [{}], prefixBreaks: 0 })
    expectExact(model, recording.read())
  })

  it('where the template drops earlier reasoning', async () => {
    const recorded = await converse('thinking', '<think>hm</think>yes', (messages) => messages)
    expect(recorded).toMatchObject({ segments: [{}, {}], prefixBreaks: 1 })
    expect(recorded.calls[1]?.messages.map(({ role }) => role)).toEqual([
      'system',
      'user',
      'assistant',
      'user',
    ])
  })

  it('and one that begins anew is not: it was never drawn', async () => {
    const recorded = await converse('hermes', 'yes', ([system]) => [
      system as ModelMessage,
      { role: 'user', content: 'c' },
    ])
    expect(recorded).toMatchObject({ segments: [{}, {}], prefixBreaks: 0 })
  })

  it('and the caller’s own examples of answers are not', async () => {
    const { recording, languageModel } = await recordingPolicy('hermes', () => 'yes')
    const examples: ModelMessage[] = [
      { role: 'user', content: 'x' },
      { role: 'assistant', content: 'yes' },
    ]
    for (const content of ['a', 'b'])
      await generateText({ model: languageModel, messages: [...examples, { role: 'user', content }] })
    expect(recording.read()).toMatchObject({ segments: [{}, {}], prefixBreaks: 0 })
  })
})

describe('calls side by side', () => {
  it('fork: the shared beginning is drawn once', async () => {
    const { model, recording, languageModel } = await recordingPolicy(
      'hermes',
      (prompt) => `answer to ${prompt.length}`,
    )
    const messages: ModelMessage[] = [{ role: 'user', content: 'a' }]
    messages.push(...(await generateText({ model: languageModel, messages })).responseMessages)
    await Promise.all(
      ['b', 'c', 'c'].map((content) =>
        generateText({ model: languageModel, messages: [...messages, { role: 'user', content }] }),
      ),
    )
    const recorded = recording.read()
    expect(recorded).toMatchObject({ segments: [{}, {}, {}], prefixBreaks: 0 })
    expectExact(model, recorded)
    expect(new Set(model.requests.map(({ seed }) => seed)).size).toBe(4)
  })

  it('are recorded alike and draw alike, whichever comes first', async () => {
    const runs = await Promise.all(
      [
        [0, 5],
        [5, 0],
      ].map(async (delays) => {
        const wait = (prompt: string) =>
          new Promise((resolve) => setTimeout(resolve, delays[prompt.includes('b') ? 0 : 1]))
        const { recording, languageModel } = await recordingPolicy('hermes', async (prompt, { seed }) => {
          await wait(prompt)
          return `draw ${seed}`
        })
        const chat = async (content: string) => {
          const messages: ModelMessage[] = [{ role: 'user', content }]
          messages.push(...(await generateText({ model: languageModel, messages })).responseMessages)
          await generateText({
            model: languageModel,
            messages: [...messages, { role: 'user', content: 'more' }],
          })
        }
        await Promise.all([chat('a'), chat('b')])
        return recording.read()
      }),
    )
    expect(runs[0]?.segments).toHaveLength(2)
    expect(runs[0]).toEqual(runs[1])
  })

  it('at another temperature begin a segment of their own, since a segment is scored at one', async () => {
    const { model, recording, languageModel } = await recordingPolicy('hermes', () => 'yes')
    const messages: ModelMessage[] = [{ role: 'user', content: 'a' }]
    messages.push(
      ...(await generateText({ model: languageModel, messages, temperature: 0.5 })).responseMessages,
    )
    await generateText({
      model: languageModel,
      messages: [...messages, { role: 'user', content: 'b' }],
      temperature: 0,
    })
    const recorded = recording.read()
    expect(recorded).toMatchObject({ segments: [{ temperature: 0.5 }, { temperature: 1 }], prefixBreaks: 0 })
    expectExact(model, recorded)
  })
})

describe('a recording', () => {
  it('that is closed refuses calls and keeps nothing of those in flight', async () => {
    const policy = createPolicy(
      scriptedModel(await chatTokenizer('hermes'), async () => {
        recording.close()
        return 'late'
      }),
    )
    const recording = policy.startRecording()
    const model = policy.languageModel({ recording })
    await expect(generateText({ model, prompt: 'a' })).rejects.toThrow('no longer answers')
    await expect(generateText({ model, prompt: 'a' })).rejects.toThrow('the recording was closed')
    expect(recording.read().calls).toEqual([])
    const other = createPolicy(policy.model)
    expect(() => other.languageModel({ recording })).toThrow('not one of this policy')
  })
})
