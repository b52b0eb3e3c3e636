/** The sandbox's contract: what can be asked, what comes back. */

/** TypeScript has its types stripped and then runs as JavaScript. */
export type Language = 'javascript' | 'typescript' | 'python'

/** Caps of one run. Every one is a positive integer; what is left out takes `defaultLimits`. */
export interface Limits {
  /** Wall-clock deadline in milliseconds. */
  milliseconds: number
  /** Memory in bytes: the heap of a JavaScript run (10 MiB at least, to within a twentieth), the address space
   * of each process of a Python run. */
  memoryBytes: number
  /** Bytes of stdout, and as many again of stderr. */
  outputBytes: number
  /** Processes and threads of a Python run together, itself included. JavaScript has one, always. */
  processes: number
  /** Bytes that the run may keep in files. */
  fileBytes: number
}

export const defaultLimits: Limits = {
  milliseconds: 3000,
  memoryBytes: 512 * 2 ** 20,
  outputBytes: 2 ** 20,
  processes: 1,
  fileBytes: 32 * 2 ** 20,
}

/** Files by path relative to the workspace, `/` between folders. */
export type Files = Record<string, string | Uint8Array>

export interface RunRequest {
  language: Language
  source: string
  files?: Files
  stdin?: string
  args?: string[]
  limits?: Partial<Limits>
  /** Return the workspace's files in `RunResult.files` after the run. */
  collectFiles?: boolean
}

/**
 * Why a run stopped. `exception`: it ended by itself with another exit than 0. `killed`: by a signal, or its worker
 * died. `refused`: it never started; `reason` says why. `tampered`: it interfered with what judges it.
 */
export type Stopped = 'ok' | 'exception' | 'timeout' | 'memory' | 'output' | 'killed' | 'refused' | 'tampered'

export interface RunResult {
  /** The exit status; null when the run was stopped from outside or refused. */
  exit: number | null
  stdout: string
  stderr: string
  /** Wall-clock time of the run inside the sandbox, in milliseconds. */
  milliseconds: number
  stopped: Stopped
  /** One line of detail; absent when `stopped` is `ok`. */
  reason?: string
  files?: Record<string, Uint8Array>
  /** Paths that `files` lacks: links, what is not a plain file, and what no longer fitted `fileBytes`. */
  leftOut?: string[]
}

export interface TestRequest {
  language: Language
  /** Untrusted. Defines the entry point. */
  solution: string
  /**
   * Trusted and hidden: one test or several, each of them code that throws when the solution is wrong. They run in
   * order in one namespace, all of them even where one fails. They see the entry point by its own name and as
   * `candidate`; when one defines a function `check`, that is called with the candidate as part of it (HumanEval's
   * form). Other names of the solution can be used too. JavaScript tests have `assert`, `assert.equal`,
   * `assert.deepEqual`, `assert.throws`, and may use top-level `await`; what a test with `await` or `import` declares
   * is its own.
   */
  tests: string | string[]
  entryPoint: string
  /**
   * Trusted code that runs before the tests, beside them: helpers that the solution must not be able to redefine.
   * For HumanEval, the prompt.
   */
  helpers?: string
  limits?: Partial<Limits>
}

/** `failed`: a test said no, the first that did not pass. The others as in `Stopped`. */
export type VerdictReason = 'passed' | 'failed' | Exclude<Stopped, 'ok'>

export interface Verdict {
  passed: boolean
  reason: VerdictReason
  /** One line of detail; empty when passed. */
  message: string
  /** How many of the request's tests passed, as the judge counted them: all exactly when passed, 0 when tampered. */
  testsPassed: number
  testsTotal: number
  /** What the solution printed, cut at `outputBytes`. */
  stdout: string
  stderr: string
  milliseconds: number
}

/** Something that runs one language in isolation. `createSandbox` chooses the strongest one present. */
export interface Backend {
  readonly name: BackendName
  run(request: RunRequest): Promise<RunResult>
  runTests(request: TestRequest): Promise<Verdict>
  close(): Promise<void>
}

export type BackendName = 'quickjs' | 'python-bubblewrap' | 'python-pyodide'
