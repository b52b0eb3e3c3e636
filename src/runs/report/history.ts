import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseJson } from '../parse-json.ts'

/** Numbers by name. One that was not finite is null in JSON; it is left out, as one that is missing. */
const figures = z
  .record(z.string(), z.number().nullable())
  .transform(
    (values) =>
      Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as Record<
        string,
        number
      >,
  )

const stepSchema = z.object({
  stage: z.string(),
  step: z.int().min(0),
  metrics: figures,
  evaluation: figures.optional(),
  warnings: z.array(z.string()).optional(),
  /** How many were recorded of the step; absent where none were. */
  rollouts: z.number().optional(),
})
const timingSchema = z.object({
  stage: z.string(),
  step: z.int().min(0),
  seconds: figures,
  /** Memory of the process after the step, in bytes. */
  rss: z.number(),
})

export type StepLine = z.output<typeof stepSchema>
export type TimingLine = z.output<typeof timingSchema>

export interface StageHistory {
  name: string
  steps: StepLine[]
  /** By step; fewer where a power cut took some. */
  timing: Map<number, TimingLine>
}

/** Metrics and times of a run by stage, in the order in which the stages ran. */
export async function readHistory(directory: string): Promise<StageHistory[]> {
  const steps = await readLines(stepSchema, join(directory, 'metrics.jsonl'))
  const timing = await readLines(timingSchema, join(directory, 'timing.jsonl'))
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
async function readLines<T>(schema: z.ZodType<T>, path: string): Promise<T[]> {
  const text = await readFile(path, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .flatMap((line, index) => (line === '' ? [] : [parseJson(schema, line, path, index + 1)]))
}
