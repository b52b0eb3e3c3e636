import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { composeRewards, maximumLength, rolloutReward } from '../rewards/index.ts'
import {
  type Conversation,
  type DistillOptions,
  distill,
  grpo,
  ppo,
  type RolloutStageOptions,
  type StageReport,
} from '../trainers/index.ts'
import { asciiRollout, asciiTasks, bytePolicy } from '../trainers/testing/ascii-task.ts'
import { byteModel, trainableBytes } from '../trainers/testing/byte-model.ts'
import { openRun, type Run, RunInterrupted } from './index.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-trainers-'))
})
afterAll(() => rm(directory, { recursive: true }))

type Start = (run: Run) => Promise<AsyncGenerator<StageReport>>

/** A fresh model, a coefficient that adapts, and a multiplier that learns. */
async function common(run: Run) {
  return {
    run,
    policy: await bytePolicy(),
    tasks: asciiTasks,
    rollout: asciiRollout,
    rewards: composeRewards<string>([rolloutReward(), maximumLength(4, { rate: 0.5 })]),
    groupSize: 4,
    tasksPerStep: 2,
    steps: 5,
    optimizer: { learningRate: 0.01, warmupSteps: 1, schedule: 'linear' },
    kl: { coefficient: 0.05, adaptive: { target: 0.01, horizon: 20 } },
    minibatches: 2,
  } satisfies RolloutStageOptions<string> & Record<string, unknown>
}

const trainers: Record<string, Start> = {
  ppo: async (run) => ppo({ ...(await common(run)), critic: await trainableBytes('value'), epochs: 2 }),
  'grpo with replay': async (run) => grpo({ ...(await common(run)), replay: { staleness: 3, groups: 2 } }),
}

/** Runs a stage in a directory, as the program of a process would, and stops it after so many steps. Gives the digest of a run that ended. */
async function process(name: string, start: Start, stopAfter = Number.POSITIVE_INFINITY) {
  const stop = new AbortController()
  let steps = 0
  const run = await openRun(join(directory, name), {
    name: 'trainers',
    seed: 3,
    resume: true,
    signal: stop.signal,
    onReport() {
      if (++steps === stopAfter) stop.abort()
    },
  })
  try {
    for await (const _ of await start(run));
    return await run.finish()
  } catch (error) {
    if (!(error instanceof RunInterrupted)) throw error
    return undefined
  } finally {
    await run.close()
  }
}

describe.each(Object.entries(trainers))('a run of %s', (name, start) => {
  it('stopped twice and gone on with has the digest of one that was never stopped', async () => {
    const whole = await process(`${name}, whole`, start)
    expect(await process(name, start, 1)).toBeUndefined()
    expect(await process(name, start, 2)).toBeUndefined()
    expect(await process(name, start)).toBe(whole)
  })
})

describe('a run of distill', () => {
  it('that goes on asks neither teacher nor judge again, and refuses other prompts than it asked', async () => {
    const { tokenizer } = await byteModel()
    const asked = { teacher: 0, judge: 0 }
    const teacher: DistillOptions<Conversation>['teacher'] = {
      tokenizer,
      async sample({ prompt }) {
        asked.teacher++
        const tokens = tokenizer.encode('A<|im_end|>')
        const logprobs = new Float32Array(tokens.length)
        return [
          { text: 'A', promptTokens: Int32Array.from(prompt), tokens, logprobs, stopReason: 'stop' as const },
        ]
      },
    }
    const start =
      (questions: string): Start =>
      async (run) =>
        distill({
          run,
          teacher,
          model: await trainableBytes(),
          prompts: [...questions].map((content) => ({ messages: [{ role: 'user', content }] })),
          judge({ prompt, text }) {
            asked.judge++
            return text === 'A' && prompt.messages[0]!.content !== 'c'
          },
          optimizer: { learningRate: 0.01 },
          batch: { examples: 1 },
          epochs: 2,
        })
    const whole = await process('distill, whole', start('abc'))
    expect(asked).toEqual({ teacher: 3, judge: 3 })
    expect(await process('distill', start('abc'), 1)).toBeUndefined()
    expect(asked).toEqual({ teacher: 6, judge: 6 })
    await expect(process('distill', start('abd'))).rejects.toThrow(
      'distill: the prompts or settings (samplesPerPrompt, ',
    )
    expect(await process('distill', start('abc'))).toBe(whole)
    expect(asked).toEqual({ teacher: 6, judge: 6 })
  })
})
