import { generateText, isStepCount, type ModelMessage, tool } from 'ai'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type CollectedGroups, collectGroups } from './collect-groups.ts'
import { createPolicy } from './policy.ts'
import { chatTokenizer, type Family } from './testing/chat-tokenizers.ts'
import { scriptedModel } from './testing/scripted-model.ts'
import { trainedModel } from './testing/trained-model.ts'
import { trainingSequences } from './training-sequences.ts'
import type { RolloutContext } from './types.ts'

const add = tool({ inputSchema: z.object({ a: z.number() }), execute: ({ a }) => a + 1 })
const written: [Family, string][] = [
  ['hermes', '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>'],
  ['llama', '{"name": "add", "parameters": {"a": 1}}'],
  ['mistral', '[TOOL_CALLS][{"name": "add", "arguments": {"a": 1}}]'],
]

/** Uses the tool, then asks a second question, and is worth the letters of the answers. */
async function rollout({ model, task, signal }: RolloutContext<string>): Promise<number> {
  const options = {
    model,
    tools: { add },
    stopWhen: isStepCount(3),
    abortSignal: signal,
    maxOutputTokens: 50,
  }
  const messages: ModelMessage[] = [{ role: 'user', content: task }]
  const first = await generateText({ ...options, messages })
  messages.push(...first.responseMessages, { role: 'user', content: 'sure?' })
  const second = await generateText({ ...options, messages })
  return first.text.length + second.text.length
}

/** A policy that has learnt the tool's use, more or less. */
async function learntPolicy(family: Family, call: string) {
  const tokenizer = await chatTokenizer(family)
  let turn = 0
  const script = createPolicy(scriptedModel(tokenizer, () => [call, 'It is 2.', 'yes'][turn++ % 3] as string))
  const recording = script.startRecording()
  await rollout({ model: script.languageModel({ recording }), task: 'a' } as RolloutContext<string>)
  const model = await trainedModel(tokenizer, trainingSequences(recording.read()), 35)
  return createPolicy(model, { temperature: 0.9 })
}

function collect(policy: Awaited<ReturnType<typeof learntPolicy>>, concurrency: number) {
  const tasks = ['a', 'b'].map((id) => ({ id, task: id }))
  return collectGroups({ policy, tasks, rollout, groupSize: 4, seed: 1, step: 0, concurrency })
}

function trajectoriesOf({ groups }: CollectedGroups<string>) {
  return groups.flatMap(({ trajectories }) => trajectories)
}

describe.each(written)('%s: trajectories of several turns with tools', (family, call) => {
  it('have the log-probabilities of the trainer, bit for bit, and are the same in any company', async () => {
    const policy = await learntPolicy(family, call)
    const collected = await collect(policy, 8)
    const trajectories = trajectoriesOf(collected)
    expect(collected.failures).toEqual([])
    expect(trajectories.some(({ calls }) => calls.some(({ toolCalls }) => toolCalls.length > 0))).toBe(true)
    const lengths = trajectories.map(({ calls }) => calls.length)
    expect(Math.max(...lengths)).toBeGreaterThan(2)
    // Mistral's template puts the tools before the last question, so a second question changes what came before.
    expect((collected.metrics.prefix_breaks as number) > 0).toBe(family === 'mistral')
    const sequences = trajectories.flatMap(trainingSequences)
    const outputs = await policy.model.forward(sequences, { temperature: 0.9 })
    for (const [index, { mask, samplerLogprobs, versions }] of sequences.entries()) {
      const trained = outputs[index]!.logprobs.map((logprob, position) => (mask[position] ? logprob : 0))
      expect(trained).toEqual(samplerLogprobs)
      expect(new Set(versions)).toEqual(new Set([-1, await policy.model.version()]))
    }
    expect(await collect(policy, 1)).toEqual(collected)
  })
})
