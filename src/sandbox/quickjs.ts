import { Worker } from 'node:worker_threads'
import { completeLimits } from './limits.ts'
import { createPool, type PoolWorker } from './pool.ts'
import type { JavaScriptAnswer, JavaScriptJob } from './quickjs-worker.ts'
import { hiddenPart, refusal, refusedVerdict, validateRun, validateTests } from './requests.ts'
import { sibling } from './sibling.ts'
import type { Backend, Files, RunResult, Verdict } from './types.ts'

/** QuickJS stops at the deadline by itself, unless a builtin runs without looking up; then the thread is ended. */
const graceMilliseconds = 250

interface QuickjsWorker extends PoolWorker {
  send<T>(job: JavaScriptJob): Promise<T>
}

class OverDeadline extends Error {}

/** JavaScript and TypeScript in QuickJS, in `workers` threads at most, with a fresh runtime for each run. */
export function createQuickjs(workers: number): Backend {
  const pool = createPool<QuickjsWorker>(workers, startWorker)

  return {
    name: 'quickjs',
    async run(request) {
      const limits = completeLimits(request.limits)
      const problem = validateRun(request, limits.fileBytes)
      if (problem) return refusal(problem)
      const { language, source, stdin = '', args = [], collectFiles = false } = request
      const job = { language, source, stdin, args, collectFiles, limits, files: asText(request.files ?? {}) }
      try {
        return withOriginals(
          await pool.use((worker) => worker.send<RunResult>(job)),
          request.files ?? {},
          job.files,
        )
      } catch (error) {
        const reason = (error as Error).message
        return { ...refusal(reason), ...ended(error, limits.milliseconds) }
      }
    },
    async runTests(request) {
      const problem = validateTests(request)
      if (problem) return refusedVerdict(problem, request)
      const limits = completeLimits(request.limits)
      const { language, solution } = request
      const hidden = hiddenPart(request)
      const job = {
        language,
        source: solution,
        stdin: '',
        args: [],
        collectFiles: false,
        limits,
        files: {},
        hidden,
      }
      try {
        return await pool.use((worker) => worker.send<Verdict>(job))
      } catch (error) {
        const { stopped, milliseconds } = ended(error, limits.milliseconds)
        return { ...refusedVerdict((error as Error).message, request), reason: stopped, milliseconds }
      }
    },
    close: () => pool.close(),
  }
}

function ended(
  error: unknown,
  milliseconds: number,
): { stopped: 'timeout' | 'killed'; milliseconds: number } {
  return error instanceof OverDeadline
    ? { stopped: 'timeout', milliseconds }
    : { stopped: 'killed', milliseconds: 0 }
}

function asText(files: Files): Record<string, string> {
  return Object.fromEntries(
    Object.entries(files).map(([path, content]) => [
      path,
      typeof content === 'string' ? content : new TextDecoder().decode(content),
    ]),
  )
}

/** Programs see files as text; one that they left alone comes back byte for byte, whatever its encoding. */
function withOriginals(result: RunResult, given: Files, seen: Record<string, string>): RunResult {
  if (!result.files) return result
  for (const [path, content] of Object.entries(given)) {
    const after = Object.hasOwn(result.files, path) ? result.files[path] : undefined
    if (typeof content === 'string' || !after) continue
    if (Buffer.compare(after, Buffer.from(seen[path]!)) === 0) result.files[path] = content
  }
  return result
}

async function startWorker(): Promise<QuickjsWorker> {
  const worker = new Worker(sibling(import.meta.url, 'quickjs-worker'), {
    env: {},
    execArgv: ['--no-warnings'],
    resourceLimits: { stackSizeMb: 16 },
    stdout: false,
  })
  let dead: Error | undefined
  let waiting = Promise.withResolvers<unknown>()
  const die = (error: Error) => {
    dead ??= error
    waiting.reject(error)
  }
  worker.on('message', (message) => waiting.resolve(message))
  worker.on('error', (error) => die(new Error(`the JavaScript worker failed: ${(error as Error).message}`)))
  worker.on('exit', () => die(new Error('the JavaScript worker ended')))
  await waiting.promise
  worker.unref()
  return {
    async send<T>(job: JavaScriptJob) {
      if (dead) throw dead
      worker.ref()
      waiting = Promise.withResolvers()
      const late = new OverDeadline(`still running after ${job.limits.milliseconds} ms`)
      const timer = setTimeout(() => {
        die(late)
        void worker.terminate()
      }, job.limits.milliseconds + graceMilliseconds)
      worker.postMessage(job)
      try {
        const { answer, spent } = (await waiting.promise) as JavaScriptAnswer
        if (spent) dead = new Error('the JavaScript worker is spent')
        return answer as T
      } finally {
        clearTimeout(timer)
        worker.unref()
      }
    },
    settled: async () => dead === undefined,
    async close() {
      await worker.terminate()
    },
  }
}
