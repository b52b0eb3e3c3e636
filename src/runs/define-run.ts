import { z } from 'zod'
import { refuseUnknownKeys } from './known-keys.ts'
import type { ReportCard } from './report/card.ts'
import type { Run } from './run.ts'
import { RunError } from './run-error.ts'

export interface TrainContext<Options> {
  /** Hand it to each trainer as `run`. */
  run: Run
  /** As given by flags, checked, with defaults filled in. */
  options: Options
  /** Tells the user something, beside the progress. */
  log(text: string): void
}

export interface RunDefinition<Shape extends z.ZodRawShape = z.ZodRawShape> {
  name: string
  /** Default 0. `--seed` gives another. */
  seed?: number
  /** Default: a checkpoint every 60 seconds. */
  checkpointEvery?: { steps?: number; seconds?: number }
  /** A zod type for each option that `--set name=value` may give, with its default. Values are JSON. */
  options?: Shape
  /**
   * The pipeline: trainers one after another, each consumed with `for await`. Runs from the top again on a resume, when finished stages
   * restore their last weights and yield nothing. Returns what the report should show beside its curves.
   */
  train(context: TrainContext<z.output<z.ZodObject<Shape>>>): Promise<ReportCard | undefined> | Promise<void>
}

const definitionSchema = z.strictObject({
  name: z.string().min(1),
  seed: z.int().min(0).optional(),
  checkpointEvery: z
    .strictObject({ steps: z.int().min(1).optional(), seconds: z.number().positive().optional() })
    .optional(),
  options: z.record(z.string(), z.custom<z.ZodType>(isSchema, 'it must be a zod type')).optional(),
  train: z.custom<RunDefinition['train']>((value) => typeof value === 'function', 'it must be a function'),
})

/** A run as a file's default export, for `whetstone train FILE`. Throws on unknown keys and wrong values. */
export function defineRun<Shape extends z.ZodRawShape = Record<never, never>>(
  definition: RunDefinition<Shape>,
): RunDefinition<Shape> {
  checkDefinition(definition)
  return definition
}

/** The same for a value of any origin. */
export function checkDefinition(value: unknown): RunDefinition {
  refuseUnknownKeys(definitionSchema, value, 'defineRun')
  const parsed = definitionSchema.safeParse(value)
  if (!parsed.success) throw new RunError(`defineRun: ${problemsOf(parsed.error)}`)
  return value as RunDefinition
}

/** Each problem with the path of what it is about. */
export function problemsOf(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
    .join('; ')
}

function isSchema(value: unknown): boolean {
  return typeof value === 'object' && value !== null && '_zod' in value
}
