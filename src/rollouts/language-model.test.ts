import {
  generateObject,
  generateText,
  isStepCount,
  jsonSchema,
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

async function answering(answer: string, family: Family = 'hermes') {
  const model = scriptedModel(await chatTokenizer(family), () => answer)
  return { scripted: model, model: createPolicy(model).languageModel() }
}
