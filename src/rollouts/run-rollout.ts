import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Policy } from './policy.ts'
import { messageOf, RolloutError, shown } from './rollout-error.ts'
import type { RecordedCalls } from './segments.ts'
import { hearStrayRejections } from './stray-rejections.ts'
import type { Reward, Rollout, Trajectory } from './types.ts'

export interface RolloutRequest<T> {
  policy: Policy
  rollout: Rollout<T>
  taskId: string
  task: T
  sample: number
  seed: number
  /** Of one attempt. */
  timeoutMs: number
  /** Attempts after the first. */
  retries: number
  signal: AbortSignal
}

/**
 * One rollout, tried again with the same seed where it throws, runs out of time, has no finite reward or does
 * not await all it began. One that fails for good comes back with `failure`, reward 0 and what its last attempt drew. Rejects only when
 * the signal is aborted, with its reason.
 */
export async function runRollout<T>(request: RolloutRequest<T>): Promise<Trajectory> {
  const { taskId, sample, seed, retries } = request
  for (let attempts = 1; ; attempts++) {
    const outcome = await attempt(request)
    if (outcome.failure === undefined || attempts > retries)
      return { taskId, sample, seed, attempts, ...outcome }
  }
}

type Outcome = RecordedCalls & Required<Reward> & { failure?: string }

async function attempt<T>(request: RolloutRequest<T>): Promise<Outcome> {
  const { policy, rollout, task, seed, timeoutMs } = request
  request.signal.throwIfAborted()
  const timer = new AbortController()
  const late = setTimeout(
    () => timer.abort(new RolloutError(`the rollout took longer than ${timeoutMs} ms; raise timeoutMs`)),
    timeoutMs,
  )
  const stray = new AbortController()
  const signal = AbortSignal.any([request.signal, timer.signal, stray.signal])
  const recording = policy.startRecording({ seed, signal })
  const context = {
    model: policy.languageModel({ recording }),
    modelV3: policy.languageModelV3({ recording }),
    task,
    signal,
    seed,
  }
  const over = new RolloutError('the rollout is over')
  let ended: 'well' | 'badly' | undefined
  const rejected = (reason: unknown) => {
    const words = `a promise of the rollout that nobody awaited was rejected: ${messageOf(reason)}`
    // What a failed rollout left behind is refused, which says nothing new.
    if (ended === 'well' || (ended === 'badly' && !(reason instanceof RolloutError)))
      process.emitWarning(`task ${JSON.stringify(request.taskId)}, after its end: ${words}`)
    stray.abort(new RolloutError(words))
  }
  try {
    // A rollout that does not heed its signal is left behind; its later calls are refused.
    const returned = await Promise.race([
      whenAborted(signal),
      hearStrayRejections(rejected, async () => rollout(context)),
    ])
    recording.close(over)
    // A call that was made last and not awaited may only now reach the model.
    await nextTurn()
    if (recording.unawaited)
      throw new RolloutError(
        'a model call was not awaited: it was under way when the rollout returned; await each call, or end it with its abortSignal',
      )
    stray.signal.throwIfAborted()
    const outcome = { ...recording.read(), ...checkReward(returned) }
    ended = 'well'
    return outcome
  } catch (error) {
    ended = 'badly'
    request.signal.throwIfAborted()
    return {
      ...recording.read(),
      reward: 0,
      parts: {},
      failure: messageOf(error),
    }
  } finally {
    clearTimeout(late)
    recording.close(over)
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function checkReward(returned: unknown): Required<Reward> {
  const given = typeof returned === 'number' ? { reward: returned } : returned
  if (typeof given !== 'object' || given === null || !('reward' in given))
    throw new RolloutError(
      `the rollout returned ${shown(returned)}; it must return a finite number or { reward, parts }`,
    )
  const { reward, parts = {} } = given as Reward
  if (typeof parts !== 'object' || parts === null)
    throw new RolloutError(`the rollout's parts are ${shown(parts)}; they must be an object of numbers`)
  const numbers = {
    reward,
    ...Object.fromEntries(Object.entries(parts).map(([name, part]) => [`parts.${name}`, part])),
  }
  for (const [name, value] of Object.entries(numbers))
    if (!Number.isFinite(value))
      throw new RolloutError(`the rollout's ${name} is ${shown(value)}; it must be a finite number`)
  return { reward, parts }
}
