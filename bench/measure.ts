import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Command } from './figures.ts'

/** Short calls or usual ones, and how often each side is measured. */
export interface Effort {
  quick: boolean
  rounds: number
}

/** What a measuring script prints as its last line. */
export interface Measurement {
  tokens?: number
  seconds?: number[]
  decodeTokensPerSecond?: number
  peakBytes?: number
  baselineBytes?: number
}

const run = promisify(execFile)

/** Runs a measuring script in a process of its own and reads the JSON of its last line. */
export async function measure(command: Command, repetitions: number): Promise<Measurement> {
  const [program, ...rest] = command.map((part) => (part === 'REPETITIONS' ? String(repetitions) : part))
  const { stdout } = await run(program!, rest, { maxBuffer: 1 << 26 }).catch(
    (error: Error & { stderr?: string }) => {
      const said = error.stderr?.trim().split('\n').slice(-5).join('\n') ?? error.message
      throw new Error(`${rest.join(' ')} failed:\n${said}\nPeers are installed by bench/setup.sh.`)
    },
  )
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}

/** Compute and read-bandwidth peaks, as the example prints them. */
export interface Peaks {
  threads: number
  gflops: Record<string, { oneThread: number; allThreads: number }>
  readGigabytesPerSecond: { oneThread: number; allThreads: number }
}

export async function measurePeaks(): Promise<Peaks> {
  const cargo = ['run', '--release', '--quiet', '-p', 'whetstone-engine', '--example', 'peak']
  const { stdout } = await run('cargo', cargo)
  return JSON.parse(stdout)
}

/** The machine's limit in operations or bytes a second; null where no kernel of that type runs here. */
export function limitOf(peaks: Peaks, of: 'bf16' | 'f32' | 'bandwidth'): number | null {
  if (of === 'bandwidth') return peaks.readGigabytesPerSecond.allThreads * 1e9
  const found = Object.entries(peaks.gflops).filter(([kernel]) => kernel.startsWith(of))
  return found.length === 0 ? null : Math.max(...found.map(([, peak]) => peak.allThreads)) * 1e9
}

/** One number from a command's measurements over all rounds: median speed, or the smallest peak of memory. */
export function summarise(all: readonly Measurement[], oneSequence: boolean): number {
  const peaks = all.flatMap(({ peakBytes }) => peakBytes ?? [])
  if (peaks.length > 0) return Math.min(...peaks)
  const decode = all.flatMap(({ decodeTokensPerSecond }) => decodeTokensPerSecond ?? [])
  if (oneSequence && decode.length > 0) return median(decode)
  return median(all.flatMap(({ tokens, seconds }) => seconds!.map((second) => tokens! / second)))
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
