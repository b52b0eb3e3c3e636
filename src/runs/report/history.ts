import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseJson } from '../parse-json.ts'

export interface StepLine {
  stage: string
  step: number
  metrics: Record<string, number>
  evaluation?: Record<string, number>
  warnings?: string[]
  /** How many were recorded of the step; absent where none were. */
  rollouts?: number
}

export interface TimingLine {
  stage: string
  step: number
  seconds: Record<string, number>
  /** Memory of the process after the step, in bytes. */
  rss: number
}

export interface StageHistory {
  name: string
  steps: StepLine[]
  /** By step; fewer where a power cut took some. */
  timing: Map<number, TimingLine>
}

/** Metrics and times of a run by stage, in the order in which the stages ran. */
export async function readHistory(directory: string): Promise<StageHistory[]> {
  const steps = await readLines<StepLine>(join(directory, 'metrics.jsonl'))
  const timing = await readLines<TimingLine>(join(directory, 'timing.jsonl'))
  const stages = new Map<string, StageHistory>()
  for (const line of steps) {
    const stage: StageHistory = stages.get(line.stage) ?? { name: line.stage, steps: [], timing: new Map() }
    stages.set(line.stage, stage)
    stage.steps.push(line)
  }
  for (const line of timing) stages.get(line.stage)?.timing.set(line.step, line)
  return [...stages.values()]
}

/** The lines of a file; half a line at its end, of a run that is being written, is no line. */
async function readLines<T>(path: string): Promise<T[]> {
  const text = await readFile(path, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .flatMap((line, index) => (line === '' ? [] : [parseJson<T>(line, path, index + 1)]))
}
