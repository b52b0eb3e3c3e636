/**
 * What a run in the sandbox costs, beside the ways that others do it: `node bench/sandbox.ts` or
 * `npm run bench -- sandbox`. Milliseconds, medians; nothing else should run meanwhile.
 */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { findBubblewrap, findPython, isolation, pythonMounts } from '../src/sandbox/bubblewrap.ts'
import { createSandbox, createWorkspace } from '../src/sandbox/index.ts'

export interface SandboxFigure {
  name: string
  /** Milliseconds. */
  median: number
  ninetieth: number
  /** Processor milliseconds of a run, on average, over all processes that serve it; absent off Linux. */
  cpu?: number
  runs: number
  /** The median to reach, in milliseconds, where one is set. */
  reach?: number
}

const execute = promisify(execFile)
const runs = 200
const peerRuns = 30
const filesInWorkspace = 1000

/** Every figure of the sandbox; those of back ends that this machine lacks are left out. */
export async function benchSandbox(): Promise<SandboxFigure[]> {
  const figures: SandboxFigure[] = []
  const measure = async (
    name: string,
    work: () => Promise<unknown> | unknown,
    { reach, rounds = runs }: { reach?: number; rounds?: number } = {},
  ) => {
    for (let warm = 0; warm < 3; warm++) await work()
    const times: number[] = []
    const cpuBefore = processorMilliseconds()
    for (let round = 0; round < rounds; round++) {
      const started = performance.now()
      await work()
      times.push(performance.now() - started)
    }
    times.sort((a, b) => a - b)
    const at = (share: number) => Number(times[Math.floor(share * (times.length - 1))]!.toFixed(3))
    const cpu = cpuBefore === undefined ? undefined : (processorMilliseconds()! - cpuBefore) / rounds
    const figure = {
      name,
      median: at(0.5),
      ninetieth: at(0.9),
      ...(cpu !== undefined && { cpu: Number(cpu.toFixed(2)) }),
      runs: rounds,
    }
    figures.push(reach === undefined ? figure : { ...figure, reach })
  }

  const sandbox = await createSandbox({ workers: 1 })
  const { javascript, python } = programs
  await measure(
    'JavaScript, QuickJS: run',
    () => sandbox.run({ language: 'javascript', source: javascript }),
    { reach: 1 },
  )
  await measure('JavaScript, QuickJS: hidden tests', () => sandbox.runTests(javascriptTests))
  if (sandbox.backends.python === 'python-bubblewrap') {
    await measure(
      'Python, warm in bubblewrap: run',
      () => sandbox.run({ language: 'python', source: python }),
      { reach: 5 },
    )
    await measure('Python, warm in bubblewrap: hidden tests', () => sandbox.runTests(pythonTests))
  }
  await sandbox.close()
  const pyodide = await createSandbox({ workers: 1, python: 'pyodide' })
  if (pyodide.backends.python === 'python-pyodide') {
    await measure('Python, Pyodide: run', () => pyodide.run({ language: 'python', source: python }), {
      rounds: 10,
    })
  }
  await pyodide.close()

  const found = await findPython()
  if (found.found) {
    const { executable } = found.value
    await measure('peer: a fresh python3, no isolation', () => execute(executable, ['-I', '-c', python]), {
      rounds: peerRuns,
    })
    if ((await findBubblewrap()).found) {
      const container = [...isolation(), ...pythonMounts(found.value), '--proc', '/proc', '--dev', '/dev']
      await measure(
        'peer: a fresh bubblewrap with python3',
        () => execute('bwrap', [...container, '--tmpfs', '/tmp', executable, '-I', '-c', python]),
        { rounds: peerRuns },
      )
    }
  }

  const workspace = createWorkspace()
  workspace.makeDirectory('/folder')
  for (let index = 0; index < filesInWorkspace; index++)
    workspace.write(`/folder/${index}`, `file ${index}\n`)
  await measure(
    'workspace of 1,000 files: fork and first write',
    () => workspace.fork().write('/folder/0', 'changed'),
    { reach: 5 },
  )
  return figures
}

const millisecondsPerTick = 10

/** What this process, its children that ended, and those that live have used; in steps of 10 ms. */
function processorMilliseconds(): number | undefined {
  if (!existsSync('/proc/self/stat')) return undefined
  const processes = new Map<number, { parent: number; ticks: number }>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
      processes.set(Number(name), { parent: Number(fields[1]), ticks })
    } catch {
      // It ended meanwhile; its parent counts it.
    }
  }
  const isOurs = (id: number): boolean =>
    id === process.pid || (processes.has(id) && isOurs(processes.get(id)!.parent))
  let total = 0
  for (const [id, { ticks }] of processes) if (isOurs(id)) total += ticks
  return total * millisecondsPerTick
}

const programs = {
  javascript: 'console.log([1, 2, 3].map((x) => x * x).join())',
  python: 'print(sum(x * x for x in range(10)))',
}

const javascriptTests = {
  language: 'javascript',
  solution: 'function add(a, b) { return a + b }',
  tests: 'for (let i = 0; i < 10; i++) assert.equal(add(i, 1), i + 1)',
  entryPoint: 'add',
} as const

const pythonTests = {
  language: 'python',
  solution: 'def add(a, b): return a + b',
  tests: 'def check(candidate):\n    for i in range(10): assert candidate(i, 1) == i + 1',
  entryPoint: 'add',
} as const

if (import.meta.main) console.table(await benchSandbox())
