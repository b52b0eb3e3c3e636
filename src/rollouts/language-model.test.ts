import {
  generateObject,
  generateText,
  isStepCount,
  jsonSchema,
  type ModelMessage,
  NoObjectGeneratedError,
  Output,
  streamText,
  ToolLoopAgent,
  tool,
} from 'ai'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createPolicy } from './policy.ts'
import { chatTokenizer, type Family } from './testing/chat-tokenizers.ts'
import { scriptedModel } from './testing/scripted-model.ts'

const add = tool({
  description: 'Adds',
  inputSchema: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => a + b,
})

const toolCall: Record<string, string> = {
  hermes: 'Adding.\n<tool_call>\n{"name": "add", "arguments": {"a":1,   "b":2}}\n</tool_call>',
  thinking:
    '<think>\nI add\n</think>\n\n<tool_call>{"name": "add", "arguments": {"a": 1, "b": 2}}</tool_call>',
  llama: '{"name": "add", "parameters": {"a": 1, "b": 2}}',
  mistral: '[TOOL_CALLS][{"name": "add", "arguments": {"a": 1, "b": 2}}]',
}

/** Calls the tool, then answers with its result. */
async function addingModel(family: Family) {
  return scriptedModel(await chatTokenizer(family), (prompt) => {
    const result =
      /(?:<tool_response>\n|<\|im_start\|>tool\n|ipython<\|end_header_id\|>\n\n"|\{"content": )(\d+)/.exec(
        prompt,
      )
    return result ? `It is ${result[1]}.` : (toolCall[family] as string)
  })
}

describe.each(Object.keys(toolCall) as Family[])('%s: an agent with a tool', (family) => {
  it('runs unchanged on generateText', async () => {
    const model = await addingModel(family)
    const policy = createPolicy(model)
    const recording = policy.startRecording()
    const result = await generateText({
      model: policy.languageModel({ recording }),
      prompt: '1 + 2?',
      tools: { add },
      stopWhen: isStepCount(3),
    })
    expect(result.text).toBe('It is 3.')
    expect(result.steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop'])
    expect(result.steps[0]?.toolCalls[0]).toMatchObject({ toolName: 'add', input: { a: 1, b: 2 } })
    expect(result.warnings).toEqual([])
    const { segments, calls, prefixBreaks } = recording.read()
    expect([segments.length, calls.length, prefixBreaks]).toEqual([1, 2, 0])
  })

  it('runs unchanged on streamText', async () => {
    const policy = createPolicy(await addingModel(family))
    const result = streamText({
      model: policy.languageModel(),
      prompt: '1 + 2?',
      tools: { add },
      stopWhen: isStepCount(3),
    })
    let text = ''
    for await (const delta of result.textStream) text += delta
    expect(text).toMatch(/It is 3\.$/)
    expect((await result.steps).map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop'])
    expect((await result.steps)[0]?.reasoningText).toBe(family === 'thinking' ? 'I add' : undefined)
  })

  it('runs unchanged as a ToolLoopAgent', async () => {
    const policy = createPolicy(await addingModel(family))
    const agent = new ToolLoopAgent({ model: policy.languageModel(), instructions: 'Add.', tools: { add } })
    expect((await agent.generate({ prompt: '1 + 2?' })).text).toBe('It is 3.')
  })
})

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of stream) all.push(item)
  return all
}

async function answering(answer: string, family: Family = 'hermes') {
  const model = scriptedModel(await chatTokenizer(family), () => answer)
  return { scripted: model, model: createPolicy(model).languageModel() }
}

describe('an answer', () => {
  it('has its reasoning apart, with stop reason and usage', async () => {
    const { model, scripted } = await answering('<think>\nfirst\n</think>\n\nthe answer')
    const { reasoningText, text, finishReason, usage } = await generateText({ model, prompt: 'Well?' })
    expect([reasoningText, text, finishReason]).toEqual(['first', 'the answer', 'stop'])
    const { promptTokens, tokens } = scripted.samples[0]!
    expect([usage.inputTokens, usage.outputTokens]).toEqual([promptTokens.length, tokens.length])
    const reasoning = usage.outputTokenDetails.reasoningTokens!
    expect(scripted.tokenizer.decode(tokens.slice(0, reasoning))).toBe('<think>\nfirst\n</think>')
  })

  it('is streamed as it is drawn, in parts that make up the whole', async () => {
    const { model } = await answering('<think> a < b </think>\n 1 <2, <tool 3 \n')
    const { stream } = await model.doStream({ prompt: [{ role: 'user', content: [] }] })
    const parts = await collect(stream)
    const types = parts.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1])
    expect(types).toEqual([
      'stream-start',
      'reasoning-start',
      'reasoning-delta',
      'reasoning-end',
      'text-start',
      'text-delta',
      'text-end',
      'finish',
    ])
    const deltas = (kind: string) =>
      parts.flatMap((part) => (part.type === kind && 'delta' in part ? [part.delta] : []))
    expect(deltas('reasoning-delta').join('')).toBe('a < b')
    expect(deltas('text-delta').join('')).toBe('1 <2, <tool 3')
    expect(deltas('text-delta').length).toBeGreaterThan(5)
  })

  it('is reasoning first where the prompt opened it, and text alone where it did not', async () => {
    const scripted = scriptedModel(await chatTokenizer('hermes'), () => 'hm</think>yes')
    const chatTemplate = `${scripted.tokenizer.chatTemplate}<think>\n`
    const opened = createPolicy(scripted, { chatTemplate }).languageModel()
    const { reasoningText, text } = await generateText({ model: opened, prompt: 'a' })
    expect([reasoningText, text]).toEqual(['hm', 'yes'])
    const { model } = await answering('hm</think>yes')
    expect((await generateText({ model, prompt: 'a' })).text).toBe('hm</think>yes')
  })

  it('that is cut at its limit says so', async () => {
    const { model } = await answering('the answer is long')
    const { text, finishReason } = await generateText({ model, prompt: 'Well?', maxOutputTokens: 5 })
    expect([text, finishReason]).toEqual(['the a', 'length'])
  })

  it('ends before a stop sequence, streamed or not', async () => {
    const { model } = await answering('one STOP two')
    const options = { model, prompt: 'Well?', stopSequences: ['STOP'] }
    expect((await generateText(options)).text).toBe('one')
    expect((await collect(streamText(options).textStream)).join('')).toBe('one')
  })

  it.each<[Family, string, string]>([
    ['hermes', '<tool_call>{"name": "add", "arguments": {"a": 1</tool_call>', 'add'],
    ['hermes', '<tool_call>{"name": "add", "arguments": [1]}</tool_call>', 'add'],
    ['hermes', '<tool_call>{"name": "add", "arguments": {"a": "x", "b": 2}}</tool_call>', 'add'],
    ['hermes', '<tool_call>{"name": "subtract", "arguments": {}}</tool_call>', 'subtract'],
    ['llama', '{"name": "add", "parameters": {"a": 1', 'add'],
    ['mistral', '[TOOL_CALLS][{"name": "add", "arguments": }]', 'add'],
  ])('with a call that is no good (%s: %s) gets the error back as its result', async (family, bad, name) => {
    let turn = 0
    const scripted = scriptedModel(await chatTokenizer(family), () => (turn++ === 0 ? bad : 'sorry'))
    const recording = createPolicy(scripted).startRecording()
    for (const stream of [false, true]) {
      turn = 0
      const policy = createPolicy(scripted)
      const model = policy.languageModel()
      const options = { model, prompt: '1 + 2?', tools: { add }, stopWhen: isStepCount(3) }
      const steps = stream ? await streamText(options).steps : (await generateText(options)).steps
      expect(steps[0]?.toolCalls[0]).toMatchObject({ toolName: name, invalid: true })
      expect(steps[0]?.content.map(({ type }) => type)).toEqual(['tool-call', 'tool-error'])
      expect(steps[1]?.text).toBe('sorry')
    }
    expect(recording.read().calls).toEqual([])
  })

  it('with more calls at once than its template takes is text, and the conversation goes on', async () => {
    const call = toolCall.llama as string
    const { model } = await answering(`${call}; ${call}`, 'llama')
    const messages: ModelMessage[] = [{ role: 'user', content: '1 + 2?' }]
    const first = await generateText({ model, messages, tools: { add }, stopWhen: isStepCount(3) })
    expect([first.text, first.steps.length, first.finishReason]).toEqual([`${call}; ${call}`, 1, 'stop'])
    messages.push(...first.responseMessages, { role: 'user', content: 'So?' })
    await generateText({ model, messages, tools: { add } })
    const hermes = toolCall.hermes as string
    const parallel = await answering(`${hermes}${hermes}`)
    const step = await generateText({ model: parallel.model, messages: messages.slice(0, 1), tools: { add } })
    expect(step.toolResults.map(({ output }) => output)).toEqual([3, 3])
  })

  it('with a call that names no tool is text', async () => {
    const { model } = await answering('Hm <tool_call>\nadd 1 2\n</tool_call>')
    const { text, finishReason } = await generateText({ model, prompt: '1 + 2?', tools: { add } })
    expect([text, finishReason]).toEqual(['Hm\n<tool_call>\nadd 1 2\n</tool_call>', 'stop'])
  })

  it('is text where no tools are offered or none may be called', async () => {
    const call = toolCall.hermes as string
    const { model, scripted } = await answering(call)
    expect((await generateText({ model, prompt: '1 + 2?' })).text).toBe(call)
    const { text } = await generateText({ model, prompt: '1 + 2?', tools: { add }, toolChoice: 'none' })
    expect(text).toBe(call)
    expect(scripted.tokenizer.decode(scripted.requests[1]!.prompt)).toContain('"name": "add"')
  })
})

describe('settings', () => {
  it('reach the engine, the policy’s own where a call sets none', async () => {
    const scripted = scriptedModel(await chatTokenizer('hermes'), () => 'yes', { context: 200 })
    const policy = createPolicy(scripted, { temperature: 0.7, maxTokens: 40, topK: 5, topP: 0.9, minP: 0.1 })
    const model = policy.languageModel()
    await generateText({ model, prompt: 'a' })
    await generateText({ model, prompt: 'a', temperature: 0, topK: 3, topP: 0.5, maxOutputTokens: 1000 })
    expect(scripted.requests[0]).toMatchObject({
      temperature: 0.7,
      maxTokens: 40,
      topK: 5,
      topP: 0.9,
      minP: 0.1,
    })
    const room = 200 - scripted.requests[1]!.prompt.length
    expect(scripted.requests[1]).toMatchObject({ temperature: 0, maxTokens: room, topK: 3, topP: 0.5 })
  })

  it('that cannot be honoured are warned of', async () => {
    const { model } = await answering('yes')
    const { warnings } = await model.doGenerate({
      prompt: [{ role: 'user', content: [{ type: 'text', text: 'a' }] }],
      presencePenalty: 1,
      frequencyPenalty: 1,
      reasoning: 'high',
      toolChoice: { type: 'required' },
      tools: [{ type: 'provider', id: 'open.search', name: 'search', args: {} }],
    })
    expect(warnings.map((warning) => 'feature' in warning && warning.feature)).toEqual([
      'presencePenalty',
      'frequencyPenalty',
      'provider tool open.search',
      'toolChoice required',
      'reasoning high',
    ])
  })

  it('with a seed draw the same again; without one, each call of a prompt draws anew', async () => {
    const { model, scripted } = await answering('yes')
    for (const seed of [3, 3, 4, undefined, undefined])
      await generateText({ model, prompt: 'a', ...(seed !== undefined && { seed }) })
    const seeds = scripted.requests.map(({ seed }) => seed)
    expect(seeds[0]).toBe(seeds[1])
    expect(new Set(seeds).size).toBe(4)
  })

  it('of a policy are checked by name', async () => {
    const scripted = scriptedModel(await chatTokenizer('hermes'), () => '')
    expect(() => createPolicy(scripted, { topP: 0 })).toThrow(/topP/)
    expect(() => createPolicy(scripted, { topp: 1 } as object)).toThrow(/topp/)
  })
})

describe('structured output', () => {
  const schema = z.object({ name: z.string(), age: z.number().int() })
  it.each([
    ['bare', '{"name": "Ada", "age": 36}'],
    ['fenced', 'Here you are:\n```json\n{"name": "Ada", "age": 36}\n```\nDone {not json}.'],
    ['amid words', 'Well [sic] it is {"name": "Ada", "age": 36} of course.'],
  ])('is found where it is %s', async (_, answer) => {
    const { model, scripted } = await answering(answer)
    const prompt = 'Who?'
    expect((await generateObject({ model, prompt, schema })).object).toEqual({ name: 'Ada', age: 36 })
    expect((await generateText({ model, prompt, output: Output.object({ schema }) })).output).toEqual({
      name: 'Ada',
      age: 36,
    })
    expect(await streamText({ model, prompt, output: Output.object({ schema }) }).output).toEqual({
      name: 'Ada',
      age: 36,
    })
    const asked = scripted.tokenizer.decode(scripted.requests[0]!.prompt)
    expect(asked).toContain('"age":{"type":"integer"')
  })

  const jsonCall = {
    prompt: [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'Who?' }] }],
    responseFormat: { type: 'json' as const, schema: z.toJSONSchema(schema) as object },
  }

  it.each([
    ['no JSON at all', 'I will not.', 'the answer holds no JSON'],
    ['JSON that does not fit', '{"name": "Ada", "age": "old"}', 'age'],
  ])('that is %s is an error with the answer in it', async (_, answer, problem) => {
    const { model } = await answering(answer)
    const error = await generateObject({ model, prompt: 'Who?', schema }).catch((error) => error)
    expect(NoObjectGeneratedError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ text: answer, finishReason: 'error' })
    expect((await model.doGenerate(jsonCall)).finishReason).toMatchObject({
      unified: 'error',
      raw: expect.stringContaining(problem),
    })
  })

  it('whose schema cannot be read is warned of', async () => {
    const { model } = await answering('{"a": 1}')
    const output = Output.object({ schema: jsonSchema({ type: 'object', if: {}, else: {} }) })
    const { warnings, finishReason } = await generateText({ model, prompt: 'Who?', output })
    expect(warnings?.[0]).toMatchObject({
      type: 'other',
      message: expect.stringContaining('was not checked'),
    })
    expect(finishReason).toBe('stop')
  })
})

describe('what cannot be answered', () => {
  it('is refused with the reason: files, prompts as long as the context', async () => {
    const tokenizer = await chatTokenizer('hermes')
    const model = createPolicy(scriptedModel(tokenizer, () => '', { context: 20 })).languageModel()
    const image = { type: 'file' as const, mediaType: 'image/png', data: new Uint8Array(4) }
    await expect(generateText({ model, messages: [{ role: 'user', content: [image] }] })).rejects.toThrow(
      /image\/png/,
    )
    await expect(generateText({ model, prompt: 'a'.repeat(40) })).rejects.toThrow(/context of 20/)
  })

  it('ends with the signal’s reason, and what was drawn by then is recorded', async () => {
    const aborting = new AbortController()
    const scripted = scriptedModel(await chatTokenizer('hermes'), () => {
      aborting.abort(new Error('enough'))
      return 'half'
    })
    const policy = createPolicy(scripted)
    const recording = policy.startRecording()
    const model = policy.languageModel({ recording })
    await expect(generateText({ model, prompt: 'a', abortSignal: aborting.signal })).rejects.toThrow('enough')
    expect(recording.read().calls[0]).toMatchObject({ text: 'half', stopReason: 'aborted' })
    await expect(generateText({ model, prompt: 'a', abortSignal: aborting.signal })).rejects.toThrow('enough')
    expect(scripted.requests).toHaveLength(1)
  })

  it('is streamed up to the signal and then ends as the SDK expects', async () => {
    const aborting = new AbortController()
    const scripted = scriptedModel(await chatTokenizer('hermes'), async () => {
      aborting.abort()
      return 'half'
    })
    const model = createPolicy(scripted).languageModel()
    const errors: unknown[] = []
    const result = streamText({
      model,
      prompt: 'a',
      abortSignal: aborting.signal,
      onError: ({ error }) => errors.push(error),
    })
    const types = (await collect(result.stream)).map(({ type }) => type)
    expect(types.at(-1)).toBe('abort')
    expect(errors).toEqual([])
  })

  it('is no more once nobody reads the stream, and the recording has what was drawn', async () => {
    let drawing: (() => void) | undefined
    const scripted = scriptedModel(await chatTokenizer('hermes'), async (_, { signal }) => {
      await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()))
      drawing?.()
      return 'half'
    })
    const policy = createPolicy(scripted)
    const recording = policy.startRecording()
    const { stream } = await policy
      .languageModel({ recording })
      .doStream({ prompt: [{ role: 'user', content: [] }] })
    const drawn = new Promise<void>((resolve) => {
      drawing = resolve
    })
    await stream.cancel()
    await drawn
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect(recording.read().calls).toMatchObject([{ stopReason: 'aborted' }])
  })

  it('while the weights change is an error', async () => {
    let version = 0
    const scripted = scriptedModel(await chatTokenizer('hermes'), () => 'yes', { version: () => version++ })
    const model = createPolicy(scripted).languageModel()
    await expect(generateText({ model, prompt: 'a' })).rejects.toThrow('weights changed')
  })
})
