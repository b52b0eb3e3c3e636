import { completeLimits } from './limits.ts'
import { createPool } from './pool.ts'
import { type ChildMessage, type PyodideProcess, startPyodideProcess } from './pyodide-process.ts'
import {
  encodeFiles,
  type HiddenPart,
  hiddenPart,
  refusal,
  refusedVerdict,
  validateRun,
  validateTests,
  withoutTampered,
} from './requests.ts'
import type { Backend, Limits, RunResult, Stopped, Verdict } from './types.ts'

/** WebAssembly memory until a job comes with a cap of its own. */
const memoryBytes = 128 * 2 ** 20

/** What the process holds besides Python's memory: Node, Pyodide's code, its snapshot. */
const processBytes = 512 * 2 ** 20

interface Ending {
  message: ChildMessage
  stopped?: 'timeout' | 'output' | 'memory'
  stdout: string
  stderr: string
  milliseconds: number
  /** As the judge counted them. */
  testsPassed: number
}

/** Python in Pyodide: a process of its own for each run, started ahead of time, never used twice. */
export function createPyodide(workers: number): Backend {
  const spares: Array<Promise<PyodideProcess>> = []
  const closing = new AbortController()
  const startOne = () => startPyodideProcess(memoryBytes, closing.signal)
  const take = (): Promise<PyodideProcess> => {
    const spare = spares.shift() ?? startOne()
    const next = startOne()
    next.catch(() => {})
    spares.push(next)
    return spare
  }
  const pool = createPool<PyodideProcess>(workers, take)

  return {
    name: 'python-pyodide',
    async run(request) {
      const limits = completeLimits(request.limits)
      const problem = validateRun(request, limits.fileBytes)
      if (problem) return refusal(problem)
      const { source, stdin = '', args = [], collectFiles = false } = request
      const files = encodeFiles(request.files ?? {})
      const payload = { source, stdin, args, files, collectFiles, fileBytes: limits.fileBytes }
      try {
        return await pool.use(async (child) =>
          toResult(await watch(child, { mode: 'run', payload }, limits, true), limits),
        )
      } catch (error) {
        return { ...refusal((error as Error).message), stopped: 'killed' }
      }
    },
    async runTests(request) {
      const problem = validateTests(request)
      if (problem) return refusedVerdict(problem, request)
      const limits = completeLimits(request.limits)
      const hidden = hiddenPart(request)
      try {
        return await pool.use(async (child) => {
          const judge = await take()
          try {
            return await judgeSolution(judge, child, hidden, request.solution, limits)
          } finally {
            judge.kill()
            child.kill()
          }
        })
      } catch (error) {
        return { ...refusedVerdict((error as Error).message, request), reason: 'killed' }
      }
    },
    async close() {
      closing.abort()
      await pool.close()
    },
  }
}

/** Runs a job to its end. `onRpc` gets what it sends to the other side of a test. */
function watch(
  child: PyodideProcess,
  job: object,
  limits: Limits,
  stopOnOverflow: boolean,
  onRpc?: (text: string) => void,
): Promise<Ending> {
  const started = performance.now()
  const output = { 1: [] as Buffer[], 2: [] as Buffer[] }
  const sizes = { 1: 0, 2: 0 }
  let stopped: Ending['stopped']
  let said: ChildMessage | undefined
  let testsPassed = 0
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      stopped ??= 'timeout'
      child.kill()
    }, limits.milliseconds)
    // The caps inside hold Python's memory and files; this one holds what else a program can make the process keep.
    const overhead = limits.fileBytes * 2 + processBytes
    const watchdog = setInterval(() => {
      if ((child.residentBytes() ?? 0) <= limits.memoryBytes + overhead) return
      stopped ??= 'memory'
      child.kill()
    }, 50)
    child.start(
      { ...job, limits },
      (message) => {
        if ('rpc' in message) onRpc?.(message.rpc)
        else if ('tested' in message) testsPassed += Number(message.tested)
        else if (!('ended' in message)) said ??= message
        else {
          clearTimeout(timer)
          clearInterval(watchdog)
          const text = (stream: 1 | 2) => Buffer.concat(output[stream]).toString('utf8')
          const milliseconds = performance.now() - started
          const ending: Ending = {
            message: said ?? message,
            stdout: text(1),
            stderr: text(2),
            milliseconds,
            testsPassed,
          }
          if (stopped && !said) ending.stopped = stopped
          resolve(ending)
        }
      },
      (stream, chunk) => {
        const room = limits.outputBytes - sizes[stream]
        if (room > 0) output[stream].push(chunk.subarray(0, room))
        sizes[stream] += chunk.length
        if (chunk.length > room && stopOnOverflow) {
          stopped ??= 'output'
          child.kill()
        }
      },
    )
  })
}

interface MainResult {
  exit: number
  outOfMemory: boolean
  files?: Record<string, string>
  leftOut?: string[]
}

function toResult({ message, stopped, stdout, stderr, milliseconds }: Ending, limits: Limits): RunResult {
  const rest = { stdout, stderr, milliseconds }
  if (stopped) return { exit: null, stopped, reason: capReason(stopped, limits), ...rest }
  if ('exited' in message) {
    return message.exited === 0
      ? { exit: 0, stopped: 'ok', ...rest }
      : { exit: message.exited, stopped: 'exception', reason: `exit status ${message.exited}`, ...rest }
  }
  if ('fatal' in message) return { exit: null, ...fatalReason(message.fatal), ...rest }
  if (!('result' in message)) return { exit: null, stopped: 'killed', reason: 'its process ended', ...rest }
  const result = message.result as MainResult
  const lastLine = stderr.trim().split('\n').at(-1) ?? ''
  const complete: RunResult = { exit: result.exit, stopped: 'ok', ...rest }
  if (result.outOfMemory) Object.assign(complete, { stopped: 'memory', reason: 'out of memory' })
  else if (result.exit !== 0) {
    Object.assign(complete, { stopped: 'exception', reason: lastLine || `exit status ${result.exit}` })
  }
  if (result.files) {
    complete.files = Object.fromEntries(
      Object.entries(result.files).map(([path, content]) => [
        path,
        new Uint8Array(Buffer.from(content, 'base64')),
      ]),
    )
  }
  if (result.leftOut?.length) complete.leftOut = result.leftOut
  return complete
}

function capReason(stopped: 'timeout' | 'output' | 'memory', limits: Limits): string {
  if (stopped === 'memory') return `out of memory: the cap is ${limits.memoryBytes} bytes`
  return stopped === 'timeout'
    ? `still running after ${limits.milliseconds} ms`
    : `more than ${limits.outputBytes} bytes of output`
}

function fatalReason(text: string): { stopped: Stopped; reason: string } {
  return { stopped: 'exception', reason: text.trim().split('\n')[0] ?? 'Pyodide failed' }
}

/** The judge in one process, the solution in another; this one only carries messages between them. */
async function judgeSolution(
  judge: PyodideProcess,
  solution: PyodideProcess,
  hidden: HiddenPart,
  source: string,
  limits: Limits,
): Promise<Verdict> {
  const ran = watch(solution, { mode: 'solution', payload: { source } }, limits, false, (text) =>
    judge.send(text),
  )
  void ran.then(() => setTimeout(() => judge.kill(), 100))
  const judged = await watch(judge, { mode: 'judge', hidden }, limits, false, (text) => solution.send(text))
  if (!('result' in judged.message)) setTimeout(() => solution.kill(), 200)
  else solution.kill()
  const { message, stopped, stdout, stderr, milliseconds } = await ran
  const { testsPassed } = judged
  const rest = { stdout, stderr, milliseconds, testsPassed, testsTotal: hidden.tests.length }
  if ('result' in judged.message) {
    return withoutTampered({
      ...(judged.message.result as Pick<Verdict, 'passed' | 'reason' | 'message'>),
      ...rest,
    })
  }
  const failed = (reason: Verdict['reason'], text: string): Verdict => ({
    passed: false,
    reason,
    message: text,
    ...rest,
  })
  const capped = stopped ?? judged.stopped
  if (capped) return failed(capped, capReason(capped, limits))
  if ('exited' in message && message.exited === 0) {
    return withoutTampered(failed('tampered', 'the solution ended its process before the tests were done'))
  }
  if ('exited' in message) return failed('exception', `the solution exited with ${message.exited}`)
  if ('fatal' in message) return failed('exception', fatalReason(message.fatal).reason)
  return failed('killed', "the solution's process ended")
}
