import { completeLimits } from './limits.ts'
import type { Files, RunRequest, RunResult, TestRequest, Verdict } from './types.ts'

/** A result for a run that never started. */
export function refusal(reason: string): RunResult {
  return { exit: null, stdout: '', stderr: '', milliseconds: 0, stopped: 'refused', reason }
}

export function refusedVerdict(message: string, request: TestRequest): Verdict {
  const testsTotal = hiddenPart(request).tests.length
  return {
    passed: false,
    reason: 'refused',
    message,
    testsPassed: 0,
    testsTotal,
    stdout: '',
    stderr: '',
    milliseconds: 0,
  }
}

/** What only the judge may see of a test run. */
export interface HiddenPart {
  tests: string[]
  entryPoint: string
  helpers: string
}

export function hiddenPart({ tests, entryPoint, helpers = '' }: TestRequest): HiddenPart {
  return { tests: Array.isArray(tests) ? tests : [tests], entryPoint, helpers }
}

/** No part of a verdict counts for a solution that cheated. */
export function withoutTampered(verdict: Verdict): Verdict {
  return verdict.reason === 'tampered' ? { ...verdict, testsPassed: 0 } : verdict
}

/** Why a path is not one inside the workspace, or undefined. */
export function pathProblem(path: string): string | undefined {
  if (path === '' || path.startsWith('/') || path.includes('\0'))
    return `${JSON.stringify(path)} is not a relative path`
  if (path.split('/').some((part) => part === '..' || part === '.' || part === '')) {
    return `${JSON.stringify(path)} has an empty, . or .. part; give a plain relative path`
  }
  if (path.split('/').some((part) => Buffer.byteLength(part) > 255))
    return `${path.slice(0, 40)}... has a name over 255 bytes`
  return undefined
}

/** Whether a text is a name that a program can define, and no more than that. */
export function isName(text: string): boolean {
  return /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(text)
}

/** What is wrong with a run's request, or undefined. `workspaceBytes` is the room that its files have. */
export function validateRun(request: RunRequest, workspaceBytes: number): string | undefined {
  if (typeof request.source !== 'string') return 'source is not a string'
  let total = 0
  for (const [path, content] of Object.entries(request.files ?? {})) {
    const problem = pathProblem(path)
    if (problem) return `file path ${problem}`
    total += typeof content === 'string' ? Buffer.byteLength(content) : content.byteLength
  }
  const { fileBytes } = completeLimits(request.limits)
  if (total > Math.min(fileBytes, workspaceBytes)) {
    return `the files have ${total} bytes, the cap is ${Math.min(fileBytes, workspaceBytes)}; raise limits.fileBytes`
  }
  if (fileBytes > workspaceBytes) {
    return `limits.fileBytes is ${fileBytes}, this sandbox has ${workspaceBytes}; raise createSandbox's fileBytes`
  }
  if (request.args?.some((argument) => argument.includes('\0'))) return 'an argument has a NUL character'
  return undefined
}

export function validateTests(request: TestRequest): string | undefined {
  for (const name of ['solution', 'entryPoint'] as const) {
    if (typeof request[name] !== 'string') return `${name} is not a string`
  }
  const { tests } = hiddenPart(request)
  if (tests.length === 0) return 'tests is empty, so every solution would pass'
  if (tests.some((test) => typeof test !== 'string')) return 'tests is not a string or a list of strings'
  if (!isName(request.entryPoint)) {
    return `entryPoint ${JSON.stringify(request.entryPoint)} is not a name`
  }
  completeLimits(request.limits)
  return undefined
}

/** Files as base64, the way they travel to a Python sandbox. */
export function encodeFiles(files: Files): Record<string, string> {
  return Object.fromEntries(
    Object.entries(files).map(([path, content]) => [
      path,
      Buffer.from(content as Uint8Array).toString('base64'),
    ]),
  )
}
