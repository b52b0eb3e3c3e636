import { describe, expect, it } from 'vitest'
import type { Model } from '../engine/index.ts'
import type { Rollout } from '../rollouts/index.ts'
import { loadTokenizer } from '../text/index.ts'
import { dpo } from './dpo.ts'
import { groupPreference } from './group-preference.ts'
import { grpo } from './policy-gradient-algorithms.ts'
import type { StageReport } from './stage.ts'
import { asciiRollout, asciiTasks, bytePolicy } from './testing/ascii-task.ts'
import { byteModel, trainableBytes } from './testing/byte-model.ts'
import { reportsOf } from './testing/memory-run.ts'

const row = { input: Int32Array.of(1, 2), target: Int32Array.of(2, 3) }
const optimizer = { learningRate: 0.01 }
const say = (content: string) => [{ role: 'assistant' as const, content }]
const pairs = [{ prompt: [{ role: 'user' as const, content: 'p' }], chosen: say('a'), rejected: say('b') }]

/** Starts a stage of several steps; `snapshots` are those that it makes of the model. */
async function stageOf(trainer: string, more: { reference?: Model } = {}) {
  const model = await trainableBytes()
  const snapshots: Model[] = []
  const watched = {
    ...model,
    async snapshot() {
      const snapshot = await model.snapshot()
      snapshots.push(snapshot)
      return snapshot
    },
  }
  const rollout: Rollout<string> = asciiRollout
  const sampled = { tasks: asciiTasks, rollout, groupSize: 2, steps: 2, optimizer, ...more }
  const stages: Record<string, () => Promise<AsyncGenerator<StageReport>>> = {
    dpo: async () => dpo({ model: watched, pairs, steps: 2, optimizer, ...more }),
    grpo: async () => grpo({ ...sampled, policy: await bytePolicy(watched), kl: { coefficient: 0.1 } }),
    preference: async () =>
      groupPreference({ ...sampled, policy: await bytePolicy(watched), algorithm: 'gspo-pairs' }),
  }
  return { stage: await stages[trainer]!(), snapshots }
}

describe.each(['dpo', 'grpo', 'preference'])('a stage of %s', (trainer) => {
  it('gives back the memory of its own reference when it ends, and when its loop is left', async () => {
    for (const until of [2, 1]) {
      const { stage, snapshots } = await stageOf(trainer)
      await reportsOf(stage, until)
      expect(snapshots).toHaveLength(1)
      await expect(snapshots[0]!.forward([row])).rejects.toThrow('disposed')
    }
  })

  it('refuses a reference of the same size whose tokens are others', async () => {
    const model = await byteModel()
    const tokenizerJson = model.tokenizer.toJson().replaceAll('<|mask|>', '<|hidden|>')
    const reference = { ...model, tokenizer: loadTokenizer({ tokenizerJson }) }
    const { stage } = await stageOf(trainer, { reference })
    await expect(reportsOf(stage)).rejects.toThrow(
      'is "<|mask|>" to the model and "<|hidden|>" to the reference',
    )
  })

  it('leaves a reference that it was given as it is', async () => {
    const reference = await byteModel()
    const { stage, snapshots } = await stageOf(trainer, { reference })
    await reportsOf(stage)
    expect(snapshots).toEqual([])
    expect(await reference.forward([row])).toHaveLength(1)
  })
})
