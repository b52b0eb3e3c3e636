import { describe, expect, it } from 'vitest'
import { tinyModel } from '../engine/testing/tiny-model.ts'
import { type OnPolicyDistillationOptions, onPolicyDistillation } from './on-policy-distillation.ts'
import { policyGradient } from './policy-gradient.ts'
import { asciiRollout, asciiTasks, bytePolicy } from './testing/ascii-task.ts'
import { byteModel } from './testing/byte-model.ts'
import { reportsOf } from './testing/memory-run.ts'
import { expectRepeatable } from './testing/repeats.ts'

const common = { tasks: asciiTasks, rollout: asciiRollout, optimizer: { learningRate: 0.02 }, seed: 1 }
const teacher = await (async () => {
  const policy = await bytePolicy()
  await reportsOf(policyGradient({ ...common, algorithm: 'rloo', policy, steps: 10 }))
  return policy.model.snapshot()
})()

async function options(more: Partial<OnPolicyDistillationOptions<string>> = {}) {
  return { ...common, policy: await bytePolicy(), teacher, steps: 20, ...more }
}

describe('onPolicyDistillation', () => {
  it('makes a student write as its teacher does within 20 steps: the reverse KL falls to a quarter', async () => {
    const reports = await reportsOf(onPolicyDistillation(await options()))
    const [first, last] = [reports[0]!.metrics, reports.at(-1)!.metrics]
    expect(first.reward).toBeLessThan(0.4)
    expect(last.reverseKl).toBeLessThan(first.reverseKl! / 4)
    expect(last.reward).toBeGreaterThan(0.8)
    expect(first.samplerTrainerDifference).toBe(0)
  })

  it('at learning rate 0 comes no nearer', async () => {
    const reports = await reportsOf(
      onPolicyDistillation(await options({ optimizer: { learningRate: 0 }, steps: 6 })),
    )
    for (const { metrics } of reports)
      expect(metrics.reverseKl).toBeGreaterThan(reports[0]!.metrics.reverseKl! * 0.8)
  })

  it('learns nothing from a teacher that is the student', async () => {
    const [report] = await reportsOf(
      onPolicyDistillation(await options({ teacher: await byteModel(), steps: 1 })),
    )
    expect(report!.metrics).toMatchObject({ reverseKl: 0, gradientNorm: 0 })
  })

  it('gives the same bits twice, and when it was broken off', async () => {
    await expectRepeatable(async (run) => {
      const { seed: _, ...given } = await options({ steps: 3 })
      return { stage: onPolicyDistillation({ ...given, run }), model: given.policy.model }
    }, 1)
  })

  it('refuses a teacher of another vocabulary', async () => {
    const other = await tinyModel('llama-gqa-tied', 'f32')
    await expect(reportsOf(onPolicyDistillation(await options({ teacher: other })))).rejects.toThrow(
      'the student has 260 tokens, the teacher 257',
    )
  })
})
