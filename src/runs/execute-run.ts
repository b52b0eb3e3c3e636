import { join, resolve } from 'node:path'
import { z } from 'zod'
import { aFunction } from '../trainers/check-options.ts'
import type { StageReport } from '../trainers/stage.ts'
import { type Configuration, readConfiguration } from './configuration.ts'
import { checkDefinition, problemsOf, type RunDefinition } from './define-run.ts'
import { editedMeanwhile, refuseEdited } from './edited-configuration.ts'
import { refuseUnknownKeys } from './known-keys.ts'
import { checkLayout } from './layout.ts'
import { openRun } from './open-run.ts'
import { parseOptions } from './parse-options.ts'
import { cardSchema } from './report/card.ts'
import { writeReportOf } from './report/write-report.ts'
import { OptionsError, RunError, RunInterrupted } from './run-error.ts'
import { settled } from './settled.ts'

const executionSchema = z.strictObject({
  directory: z.string().min(1),
  settings: z.array(z.string()).readonly().optional(),
  seed: z.int().min(0).optional(),
  resume: z.boolean().optional(),
  program: z.strictObject({ file: z.string(), sha256: z.string() }).optional(),
  signal: z.instanceof(AbortSignal).optional(),
  onReport: aFunction().optional(),
  onWarning: aFunction().optional(),
  log: aFunction().optional(),
})

/** As `--set` and the other flags do for the command. */
function checkExecution(definition: unknown, execution: unknown): void {
  checkDefinition(definition)
  refuseUnknownKeys(executionSchema, execution, 'executeRun')
  const parsed = executionSchema.safeParse(execution)
  if (!parsed.success) throw new OptionsError(`executeRun: ${problemsOf(parsed.error)}`)
}

export interface Execution {
  directory: string
  /** `key=value`, as `--set` takes them. */
  settings?: readonly string[]
  /** In place of the definition's. */
  seed?: number
  resume?: boolean
  /** The definition's file and its SHA-256, for the record. */
  program?: { file: string; sha256: string }
  signal?: AbortSignal
  onReport?(report: StageReport): void
  onWarning?(text: string): void
  /** Hears what the program tells of itself, and what is no trouble: that a run to be resumed is not there yet, so one begins. */
  log?(text: string): void
}

/** Runs a definition to its end, or to a checkpoint where the signal stops it (RunInterrupted). Writes the report then too, and after an error. */
export async function executeRun(
  definition: RunDefinition,
  given: Execution,
): Promise<{ digest: string; report: string }> {
  checkExecution(definition, given)
  const { directory: path, settings = [], log = () => {}, ...execution } = given
  // At once: the program may change the process's folder.
  const directory = resolve(path)
  await checkLayout(directory, { for: 'writing' })
  const before = execution.resume ? await readConfiguration(join(directory, 'config.json')) : undefined
  if (before && before.name !== definition.name)
    throw new RunError(
      `the run in ${directory} is one of ${before.name}, not of ${definition.name}; name its program, or choose another directory`,
    )
  const options = await optionsOf(definition, settings, directory, before)
  const seed = execution.seed ?? before?.seed ?? definition.seed ?? 0
  const { name, checkpointEvery } = definition
  const run = await openRun(directory, {
    name,
    options,
    ...(checkpointEvery && { checkpointEvery }),
    ...execution,
    onNotice: log,
    seed,
  })
  try {
    const trained = await settled(`train() of ${name}`, async () => definition.train({ run, options, log }))
    const card = cardSchema.optional().safeParse(trained ?? undefined)
    if (!card.success)
      throw new RunError(`what train() returned is no report card: ${problemsOf(card.error)}`)
    if (execution.signal?.aborted) throw new RunInterrupted(directory)
    const digest = await run.finish()
    const edited = await editedMeanwhile(directory)
    if (edited !== undefined) execution.onWarning?.(edited)
    return { digest, report: await writeReportOf(run, card.data) }
  } catch (error) {
    // Where even the report cannot be written, the first error is the one to tell.
    await writeReportOf(run).catch(() => {})
    throw error
  } finally {
    await run.close()
  }
}

/**
 * The options of a run, those of the one before with the settings over them. Where they do not fit because config.json was edited, it says
 * so; an edit that fits is refused once the run is locked.
 */
async function optionsOf(
  definition: RunDefinition,
  settings: readonly string[],
  directory: string,
  before: Configuration | undefined,
): Promise<Record<string, unknown>> {
  if (!before) return parseOptions(definition, settings)
  try {
    const file = join(directory, 'config.json')
    return parseOptions(definition, settings, { options: before.options, file })
  } catch (error) {
    await refuseEdited(directory, before)
    throw error
  }
}
