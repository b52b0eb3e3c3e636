import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { generateText, type LanguageModel } from 'ai'
import { generateText as generateText6 } from 'ai-6'
import { describe, expect, it } from 'vitest'
import { type CollectOptions, collectGroups } from './collect-groups.ts'
import { createPolicy } from './policy.ts'
import { chatTokenizer } from './testing/chat-tokenizers.ts'
import { scriptedModel } from './testing/scripted-model.ts'
import type { RolloutContext } from './types.ts'

/** Says a number from 0 to 9 that its seed decides. */
async function numberPolicy() {
  const model = scriptedModel(await chatTokenizer('hermes'), (_, { seed = 0 }) => String(seed % 10))
  return createPolicy(model)
}

async function say(model: LanguageModel, prompt: string): Promise<number> {
  return Number((await generateText({ model, prompt })).text)
}

const tasks = ['a', 'b', 'c'].map((id) => ({ id, task: `task ${id}` }))

async function collect(options: Partial<CollectOptions<string>> = {}) {
  return collectGroups<string>({
    policy: await numberPolicy(),
    tasks,
    rollout: ({ model, task }) => say(model, task),
    groupSize: 4,
    seed: 1,
    step: 0,
    ...options,
  })
}

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe('collectGroups', () => {
  it('gives groups in the order of tasks and trajectories in the order of samples', async () => {
    const { groups, failures } = await collect()
    expect(groups.map(({ taskId, task }) => [taskId, task])).toEqual(tasks.map(({ id, task }) => [id, task]))
    for (const { taskId, trajectories } of groups)
      expect(trajectories.map((trajectory) => [trajectory.taskId, trajectory.sample])).toEqual(
        [0, 1, 2, 3].map((sample) => [taskId, sample]),
      )
    expect(failures).toEqual([])
    const rewards = groups.flatMap(({ trajectories }) => trajectories.map(({ reward }) => reward))
    expect(new Set(rewards).size).toBeGreaterThan(3)
  })

  it('collects the same whatever the concurrency, the company and the timing', async () => {
    const rollout = async ({ model, modelV3, task, seed }: RolloutContext<string>) => {
      await wait(seed % 7)
      const first = await say(model, task)
      const { text } = await generateText6({ model: modelV3, prompt: `${task} ${first}` })
      return { reward: Number(text), parts: { first } }
    }
    const alone = await collect({ rollout, concurrency: 1 })
    expect(await collect({ rollout, concurrency: 3 })).toEqual(alone)
    expect(await collect({ rollout })).toEqual(alone)
    const company = await collect({ rollout, tasks: [{ id: 'z', task: 'task z' }, ...tasks].reverse() })
    expect(company.groups.reverse().slice(1)).toEqual(alone.groups)
    expect((await collect({ rollout, step: 1 })).groups).not.toEqual(alone.groups)
    expect((await collect({ rollout, seed: 2 })).groups).not.toEqual(alone.groups)
  })

  it('keeps to its bound of rollouts in flight and uses all of it', async () => {
    let [running, most] = [0, 0]
    const rollout = async () => {
      most = Math.max(most, ++running)
      await wait(1)
      running--
      return 0
    }
    await collect({ rollout, concurrency: 5 })
    expect(most).toBe(5)
  })

  it('measures what came out', async () => {
    const { metrics, groups } = await collect({
      rollout: async ({ model, task }) => {
        const reward = await say(model, task)
        return { reward, parts: { even: reward % 2 === 0 ? 1 : 0 } }
      },
    })
    const all = groups.flatMap(({ trajectories }) => trajectories)
    const rewards = all.map(({ reward }) => reward)
    const mean = rewards.reduce((sum, reward) => sum + reward, 0) / 12
    const segment = all[0]!.segments[0]!
    expect(metrics).toMatchObject({
      rewardMean: mean,
      rewardStd: Math.sqrt(rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0) / 12),
      'reward.even': rewards.filter((reward) => reward % 2 === 0).length / 12,
      lengthMean: 2,
      lengthMax: 2,
      callsMean: 1,
      truncatedShare: 0,
      prefix_breaks: 0,
      failed: 0,
      retried: 0,
      zeroSpreadGroups: 0,
      resampledGroups: 0,
      trajectories: 12,
      drawnTokens: 24,
    })
    expect(segment.mask.reduce((sum, drawn) => sum + drawn, 0)).toBe(2)
    const logprobs = all.flatMap(({ segments }) => [...segments[0]!.logprobs])
    expect(metrics.entropy).toBeCloseTo(-logprobs.reduce((sum, logprob) => sum + logprob, 0) / 24)
  })

  it('hears of progress', async () => {
    const heard: object[] = []
    await collect({ groupSize: 1, onProgress: (progress) => heard.push(progress) })
    expect(heard).toEqual([1, 2, 3].map((done) => ({ done, total: 3, failed: 0 })))
  })
})

describe('a rollout that fails', () => {
  /** Sample 2 of task b throws for its first so many attempts. */
  const failing = (attempts: number) => {
    const seen: number[] = []
    const seeds = new Map<number, number>()
    const rollout = async ({ model, task, seed }: RolloutContext<string>) => {
      const reward = await say(model, task)
      if (task === 'task b') {
        const attempt = (seeds.get(seed) ?? 0) + 1
        seeds.set(seed, attempt)
        if (seeds.size === 3 && [...seeds.keys()][2] === seed) {
          seen.push(reward)
          if (attempt <= attempts) throw new Error('the tool broke')
        }
      }
      return reward
    }
    return { rollout, seen }
  }

  it('is tried again with the same seed, and as if nothing had been where it then succeeds', async () => {
    const { rollout, seen } = failing(1)
    const { groups, metrics, failures } = await collect({ rollout, concurrency: 1 })
    expect(seen[0]).toBe(seen[1])
    expect([failures, metrics.retried, metrics.failed]).toEqual([[], 1, 0])
    const undisturbed = await collect()
    const [tried, never] = [groups, undisturbed.groups].map((all) => all[1]!.trajectories[2]!)
    expect(tried).toEqual({ ...never, attempts: 2 })
  })

  it('is dropped with its reason, and the others go on', async () => {
    const { groups, failures, metrics } = await collect({
      rollout: failing(9).rollout,
      concurrency: 1,
      retries: 2,
    })
    expect(groups.map(({ trajectories }) => trajectories.length)).toEqual([4, 3, 4])
    expect(failures).toMatchObject([
      { taskId: 'b', sample: 2, round: 0, attempts: 3, reason: 'the tool broke' },
    ])
    expect(failures[0]?.trajectory.segments).toHaveLength(1)
    expect([metrics.failed, metrics.trajectories]).toEqual([1, 11])
  })

  it('is kept at reward 0 where asked', async () => {
    const { groups, failures } = await collect({
      rollout: failing(9).rollout,
      concurrency: 1,
      onFailure: 'zero',
    })
    expect(groups[1]?.trajectories[2]).toMatchObject({
      reward: 0,
      failure: 'the tool broke',
      attempts: 2,
      calls: [{}],
    })
    expect(failures).toHaveLength(1)
  })

  it('ends the collection where asked, naming it', async () => {
    const started: string[] = []
    const { rollout } = failing(9)
    const counting = (context: RolloutContext<string>) => {
      started.push(context.task)
      return rollout(context)
    }
    await expect(collect({ rollout: counting, concurrency: 1, onFailure: 'throw' })).rejects.toThrow(
      'sample 2 of task "b" failed after 2 attempts: the tool broke',
    )
    await wait(5)
    expect(started).not.toContain('task c')
  })

  it.each<[unknown, string]>([
    [Number.NaN, 'reward is NaN'],
    [{ reward: 1, parts: { speed: Number.POSITIVE_INFINITY } }, 'parts.speed is Infinity'],
    [{ reward: '1' }, "reward is '1'; it must be a finite number"],
    [{ reward: 1, parts: null }, 'parts are null; they must be an object of numbers'],
    [undefined, 'returned undefined'],
    ['good', "returned 'good'"],
    [Object.create(null), 'returned [Object: null prototype] {}'],
  ])('is one whose reward is %j', async (reward, reason) => {
    const { failures, groups } = await collect({ rollout: async () => reward as number })
    expect(failures).toHaveLength(12)
    expect(failures[0]?.reason).toContain(reason)
    expect(groups.map(({ trajectories }) => trajectories)).toEqual([[], [], []])
  })

  it('is one that throws at once, or something that is no error', async () => {
    const reasonOf = async (thrown: unknown) => {
      const { failures } = await collect({
        rollout: () => {
          throw thrown
        },
      })
      return failures[0]?.reason
    }
    expect(await reasonOf('words')).toBe('words')
    expect(await reasonOf(undefined)).toBe('undefined')
    expect(await reasonOf(Object.create(null))).toContain('null prototype')
  })

  it('is one that takes too long: its signal is aborted, it is left behind, and its later calls are refused', async () => {
    const refusals: string[] = []
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const aborted: boolean[] = []
    const { failures, groups } = await collect({
      groupSize: 1,
      timeoutMs: 20,
      retries: 0,
      rollout: async ({ model, task, signal }) => {
        if (task !== 'task b') return 1
        await say(model, task)
        await released
        aborted.push(signal.aborted)
        await say(model, task).catch((error) => refusals.push(error.message))
        return 1
      },
    })
    expect(failures).toMatchObject([
      { taskId: 'b', reason: 'the rollout took longer than 20 ms; raise timeoutMs' },
    ])
    expect(failures[0]?.trajectory.calls).toHaveLength(1)
    expect(groups.map(({ trajectories }) => trajectories.length)).toEqual([1, 0, 1])
    release()
    await wait(5)
    expect(aborted).toEqual([true])
    expect(refusals[0]).toContain('took longer than 20 ms')
  })
})

describe('a rollout that does not await what it began', () => {
  it('fails with the reason in words: a call was under way, or only on its way, when it returned', async () => {
    const late: Promise<unknown>[] = []
    const { groups, failures } = await collect({
      groupSize: 1,
      rollout: async ({ model, task }) => {
        await say(model, task)
        const floating = say(model, 'more').catch(({ message }) => message)
        late.push(
          floating,
          floating.then(() => say(model, 'yet more')).catch(({ message }) => message),
        )
        if (task === 'task b') await wait(1)
        return 1
      },
      policy: createPolicy(
        scriptedModel(await chatTokenizer('hermes'), async (prompt) => {
          if (prompt.includes('more')) await wait(10)
          return '1'
        }),
      ),
    })
    expect(failures.map(({ reason }) => reason)).toEqual(
      Array(3).fill(expect.stringContaining('a model call was not awaited')),
    )
    expect(failures.map(({ trajectory }) => trajectory.calls.length)).toEqual([1, 1, 1])
    expect(groups.map(({ trajectories }) => trajectories)).toEqual([[], [], []])
    const messages = await Promise.all(late)
    expect(messages).toHaveLength(12)
    for (const message of messages) expect(message).toContain('the rollout is over')
  })

  it('may end a call by its abort signal and return', async () => {
    const model = scriptedModel(await chatTokenizer('hermes'), async (prompt) => {
      if (prompt.includes('more')) await wait(10)
      return '1'
    })
    const { failures } = await collect({
      groupSize: 1,
      policy: createPolicy(model),
      rollout: async ({ model, task }) => {
        const enough = new AbortController()
        const floating = generateText({ model, prompt: 'more', abortSignal: enough.signal, maxRetries: 0 })
        floating.catch(() => {})
        await say(model, task)
        enough.abort()
        return 1
      },
    })
    expect(failures).toEqual([])
  })

  it('fails by the policy on failures and never ends the process, whatever floats and whenever it is rejected', async () => {
    const program = join(import.meta.dirname, 'testing', 'floating-calls.ts')
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [program])
    expect(JSON.parse(stdout)).toEqual({
      call: [expect.stringContaining('a model call was not awaited')],
      tool: ['a promise of the rollout that nobody awaited was rejected: the tool broke'],
      left: ['the rollout took longer than 5 ms; raise timeoutMs'],
      later: [],
    })
    expect(stderr).toContain('task "later", after its end: a promise of the rollout')
    expect(stderr).not.toContain('no longer answers')
  })

  it('leaves rejections of the rest of the program to end it, as Node does', async () => {
    const program = join(import.meta.dirname, 'testing', 'floating-calls.ts')
    await expect(promisify(execFile)(process.execPath, [program, 'elsewhere'])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Error: no part of a rollout'),
    })
  })
})

describe('groups without spread', () => {
  /** All zero, but for task b's once its group was drawn anew. */
  const flatAtFirst =
    (seeds: Set<number>) =>
    async ({ model, task, seed }: RolloutContext<string>) => {
      await say(model, task)
      return task === 'task b' && seeds.add(seed).size > 4 ? seed : 0
    }

  it('are counted, and drawn anew as often as asked with seeds of their own', async () => {
    const seeds = new Set<number>()
    const rollout = flatAtFirst(seeds)
    const { metrics } = await collect({ rollout })
    expect(metrics).toMatchObject({ zeroSpreadGroups: 3, resampledGroups: 0 })
    seeds.clear()
    const heard: number[] = []
    const again = await collect({ rollout, resample: 2, onProgress: ({ total }) => heard.push(total) })
    expect(again.metrics).toMatchObject({ zeroSpreadGroups: 2, resampledGroups: 3, trajectories: 12 })
    expect(seeds.size).toBe(8)
    expect(heard.at(-1)).toBe(12 + 3 * 4 + 2 * 4)
    seeds.clear()
    expect((await collect({ rollout, resample: 2, concurrency: 1 })).groups).toEqual(again.groups)
  })

  it('are not those of one trajectory', async () => {
    const { metrics } = await collect({ groupSize: 1, resample: 3 })
    expect(metrics).toMatchObject({ zeroSpreadGroups: 0, resampledGroups: 0 })
  })
})

describe('an end from outside', () => {
  it('rejects with the signal’s reason and starts nothing more', async () => {
    const stop = new AbortController()
    let started = 0
    const collecting = collect({
      concurrency: 2,
      signal: stop.signal,
      rollout: async ({ signal }) => {
        if (++started === 4) stop.abort(new Error('enough'))
        await wait(1)
        signal.throwIfAborted()
        return 0
      },
    })
    await expect(collecting).rejects.toThrow('enough')
    await wait(5)
    expect(started).toBe(4)
    await expect(collect({ signal: stop.signal })).rejects.toThrow('enough')
  })
})

it.each<[object, RegExp]>([
  [{ groupSize: 0 }, /groupSize/],
  [{ timeoutMs: Number.NaN }, /timeoutMs/],
  [{ onFailure: 'ignore' }, /onFailure/],
  [{ group: 3 }, /group/],
  [{ policy: scriptedModel(await chatTokenizer('hermes'), () => '') }, /must be a policy: `createPolicy/],
  [{ policy: undefined }, /must be a policy/],
  [{ tasks: [tasks[0], tasks[0]] }, /two tasks have the id "a"/],
])('options are checked by name: %j', async (options, message) => {
  await expect(collect(options)).rejects.toThrow(message)
})
