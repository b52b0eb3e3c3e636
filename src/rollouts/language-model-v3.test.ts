import { generateText, Output, stepCountIs, streamText, tool } from 'ai-6'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { createPolicy } from './policy.ts'
import { chatTokenizer } from './testing/chat-tokenizers.ts'
import { scriptedModel } from './testing/scripted-model.ts'

const add = tool({
  description: 'Adds',
  inputSchema: z.object({ a: z.number(), b: z.number() }),
  execute: async ({ a, b }) => a + b,
})

async function addingPolicy() {
  const scripted = scriptedModel(await chatTokenizer('hermes'), (prompt) =>
    prompt.includes('<tool_response>\n3')
      ? '<think>three</think>It is 3.'
      : '<tool_call>{"name": "add", "arguments": {"a": 1, "b": 2}}</tool_call>',
  )
  return createPolicy(scripted)
}

it('an agent on ai 6 runs with tools, streamed or not, and is one segment', async () => {
  for (const stream of [false, true]) {
    const policy = await addingPolicy()
    const recording = policy.startRecording()
    const model = policy.languageModelV3({ recording })
    const options = { model, prompt: '1 + 2?', tools: { add }, stopWhen: stepCountIs(3) }
    const steps = stream ? await streamText(options).steps : (await generateText(options)).steps
    expect(steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop'])
    expect([steps[1]?.reasoningText, steps[1]?.text]).toEqual(['three', 'It is 3.'])
    expect(recording.read()).toMatchObject({ segments: [{}], prefixBreaks: 0 })
  }
})

it('structured output works on ai 6', async () => {
  const scripted = scriptedModel(await chatTokenizer('hermes'), () => '```json\n{"age": 3}\n```')
  const model = createPolicy(scripted).languageModelV3()
  const output = Output.object({ schema: z.object({ age: z.number() }) })
  expect((await generateText({ model, prompt: 'Age?', output })).output).toEqual({ age: 3 })
})
