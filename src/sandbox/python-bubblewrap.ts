import type { SystemPython } from './bubblewrap.ts'
import { completeLimits } from './limits.ts'
import { createPool } from './pool.ts'
import { type PythonWorker, startPythonWorker } from './python-worker.ts'
import { encodeFiles, hiddenPart, refusal, refusedVerdict, validateRun, validateTests } from './requests.ts'
import type { Backend, RunResult, Verdict } from './types.ts'

interface Answer extends Omit<RunResult, 'files'> {
  files?: Record<string, string>
  leftOut?: string[]
}

/** Python by the system's interpreter inside bubblewrap, `workers` warm interpreters at most. */
export function createBubblewrapPython(python: SystemPython, workers: number, fileBytes: number): Backend {
  const pool = createPool<PythonWorker>(workers, () => startPythonWorker(python, fileBytes))

  return {
    name: 'python-bubblewrap',
    async run(request) {
      const problem = validateRun(request, fileBytes)
      if (problem) return refusal(problem)
      const limits = completeLimits(request.limits)
      const payload = {
        source: request.source,
        stdin: request.stdin ?? '',
        args: request.args ?? [],
        files: encodeFiles(request.files ?? {}),
        collectFiles: request.collectFiles ?? false,
      }
      try {
        return toResult((await pool.use((worker) => worker.send(limits, payload))) as Answer)
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
        const answer = await pool.use((worker) => worker.send(limits, { source: request.solution }, hidden))
        const { verdict, stdout, stderr, milliseconds } = answer as {
          verdict: Pick<Verdict, 'passed' | 'reason' | 'message' | 'testsPassed'>
        } & Pick<Verdict, 'stdout' | 'stderr' | 'milliseconds'>
        return { ...verdict, testsTotal: hidden.tests.length, stdout, stderr, milliseconds }
      } catch (error) {
        return { ...refusedVerdict((error as Error).message, request), reason: 'killed' }
      }
    },
    close: () => pool.close(),
  }
}

function toResult({ reason, files, leftOut, ...rest }: Answer): RunResult {
  const result: RunResult = { ...rest }
  if (reason) result.reason = reason
  if (files) {
    result.files = Object.fromEntries(
      Object.entries(files).map(([path, content]) => [path, new Uint8Array(Buffer.from(content, 'base64'))]),
    )
  }
  if (leftOut?.length) result.leftOut = leftOut
  return result
}
