import { generateText } from 'ai'
import { describe, expect, it } from 'vitest'
import type { Rollout } from '../rollouts/index.ts'
import { policyGradient } from './policy-gradient.ts'
import { asciiShare, asciiTasks, bytePolicy } from './testing/ascii-task.ts'
import { reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'

/** Two turns, with a reply between them; what was said is sent back as it was given. */
const conversation: Rollout<string> = async ({ model, task, signal }) => {
  const first = await generateText({ model, prompt: task, abortSignal: signal, maxRetries: 0 })
  const second = await generateText({
    model,
    abortSignal: signal,
    maxRetries: 0,
    messages: [
      { role: 'user', content: task },
      ...first.response.messages,
      { role: 'user', content: 'and?' },
    ],
  })
  return (asciiShare(first.text) + asciiShare(second.text)) / 2
}

/** The second question hides the first answer, so that the history no longer extends what was drawn. */
const forgetful: Rollout<string> = async ({ model, task, signal }) => {
  const first = await generateText({ model, prompt: task, abortSignal: signal, maxRetries: 0 })
  const messages = [
    { role: 'user', content: task },
    { role: 'assistant', content: 'hidden' },
    { role: 'user', content: 'and?' },
  ] as const
  const second = await generateText({ model, messages: [...messages], abortSignal: signal, maxRetries: 0 })
  return (asciiShare(first.text) + asciiShare(second.text)) / 2
}

async function options(rollout: Rollout<string>, steps: number) {
  const policy = await bytePolicy()
  return {
    algorithm: 'grpo' as const,
    policy,
    tasks: asciiTasks,
    rollout,
    steps,
    optimizer: { learningRate: 0.02 },
  }
}

describe('training on several turns', () => {
  it('learns of both turns of a conversation within 14 steps, in one sequence, the reply between them not trained on', async () => {
    const reports = await reportsOf(policyGradient(await options(conversation, 14)))
    expect(reports[0]!.metrics).toMatchObject({ prefixBreaks: 0, samplerTrainerDifference: 0 })
    const [rollout] = reports[0]!.rollouts as { segments: { mask: number[] }[] }[]
    expect(rollout!.segments).toHaveLength(1)
    expect(rollout!.segments[0]!.mask.join('')).toMatch(/^0+1+0+1+$/)
    expect(reports.at(-1)!.metrics.reward).toBeGreaterThan(0.9)
  })

  it('trains on every answer of a trajectory whose history was rewritten, as one answer of several segments', async () => {
    const reports = await reportsOf(policyGradient(await options(forgetful, 12)))
    const { metrics, rollouts } = reports[0]!
    expect(metrics.prefixBreaks).toBe(32)
    expect(metrics.samplerTrainerDifference).toBe(0)
    expect((rollouts as { segments: object[] }[]).every(({ segments }) => segments.length === 2)).toBe(true)
    expect(reports.at(-1)!.metrics.reward).toBeGreaterThan(0.85)
  })

  it('gives the same bits twice and when broken off, with conversations running side by side', async () => {
    await expectRepeatable(async (run) => {
      const given = await options(conversation, 3)
      return { stage: policyGradient({ ...given, run }), model: given.policy.model }
    })
  })
})
