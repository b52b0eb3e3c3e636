import { availableParallelism } from 'node:os'
import { backendFactories } from './backends.ts'

import { createQuickjs } from './quickjs.ts'
import { refusal, refusedVerdict } from './requests.ts'
import {
  type Backend,
  type BackendName,
  defaultLimits,
  type RunRequest,
  type RunResult,
  type TestRequest,
  type Verdict,
} from './types.ts'

export interface SandboxOptions {
  /** Runs at once in each back end; the machine's cores unless given. Further runs wait their turn. */
  workers?: number
  /** Room for the files of one Python run, in bytes. */
  fileBytes?: number
  /** The Python back end. `strongest` takes bubblewrap where it works, else Pyodide. */
  python?: 'strongest' | 'bubblewrap' | 'pyodide'
}

export interface Sandbox {
  /** Runs a program. Never throws for what the program does; throws a RangeError for limits out of range. */
  run(request: RunRequest): Promise<RunResult>
  /** Judges a solution by hidden tests, out of the solution's reach. */
  runTests(request: TestRequest): Promise<Verdict>
  /** The back end that each language runs on; a string says why it has none and what to do. */
  backends: { javascript: BackendName; python: BackendName | { missing: string } }
  /** Ends every worker. Runs that still wait are refused. */
  close(): Promise<void>
}

/** A sandbox over the strongest back ends that this machine has. A language without one is refused, never unsafe. */
export async function createSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const workers = options.workers ?? availableParallelism()
  if (!Number.isInteger(workers) || workers < 1 || workers > 256) {
    throw new RangeError(`workers is ${workers}; give an integer from 1 to 256`)
  }
  const javascript = createQuickjs(workers)
  const python = await choosePython(options, workers)
  const backendOf = (language: string): Backend | string => {
    if (language === 'javascript' || language === 'typescript') return javascript
    if (language === 'python') return python
    return `language ${JSON.stringify(language)} is unknown; known are javascript, typescript and python`
  }
  return {
    async run(request) {
      const backend = backendOf(request.language)
      return typeof backend === 'string' ? refusal(backend) : backend.run(request)
    },
    async runTests(request) {
      const backend = backendOf(request.language)
      return typeof backend === 'string' ? refusedVerdict(backend, request) : backend.runTests(request)
    },
    backends: {
      javascript: javascript.name,
      python: typeof python === 'string' ? { missing: python } : python.name,
    },
    async close() {
      await Promise.all([javascript.close(), typeof python === 'string' ? undefined : python.close()])
    },
  }
}

async function choosePython(options: SandboxOptions, workers: number): Promise<Backend | string> {
  const wanted = options.python ?? 'strongest'
  const factories = (await backendFactories()).filter(
    ({ name }) => name.startsWith('python-') && (wanted === 'strongest' || name === `python-${wanted}`),
  )
  const usable = factories.find(({ missing }) => missing === undefined)
  if (usable) return usable.create(workers, options.fileBytes ?? defaultLimits.fileBytes)
  return `Python cannot be isolated here: ${factories.map(({ missing }) => missing).join('. ')}`
}
