import { join } from 'node:path'
import { listCheckpoints } from './checkpoints.ts'
import {
  type Configuration,
  type Decisive,
  decisiveParts,
  differencesOf,
  readConfiguration,
} from './configuration.ts'
import { readFinished } from './digest-problem.ts'
import { RunError } from './run-error.ts'

/**
 * Refuses a config.json that was edited by hand: the models and results in the directory came from what it said before, and those to
 * come would stand beside them as if they were of one run.
 */
export async function refuseEdited(directory: string, configuration: Configuration): Promise<void> {
  const kept = await keptConfiguration(directory)
  if (!kept) return
  const { seed, options, program, datasets } = decisiveParts(configuration)
  const differences = [
    ...differencesOf('seed', kept.seed, seed),
    ...differencesOf('options', kept.options, options),
    ...differencesOf('program', kept.program, program),
    // A run names its data sets on the way: those that are not among the kept ones came later.
    ...Object.entries(kept.datasets).flatMap(([name, sha256]) =>
      differencesOf(`datasets.${name}`, sha256, datasets[name]),
    ),
  ]
  if (differences.length > 0)
    throw new RunError(
      `${join(directory, 'config.json')} was edited since the run began: ${differences.join('; ')}. ` +
        'Put it back as it was, or begin a new run in another directory, with other options by --set and another seed by --seed',
    )
}

/** Says of a run that has just ended what became of its config.json on the way, if anything did: a later resume or report refuses it. */
export async function editedMeanwhile(directory: string): Promise<string | undefined> {
  try {
    const now = await readConfiguration(join(directory, 'config.json'))
    if (now) await refuseEdited(directory, now)
    return undefined
  } catch (error) {
    if (!(error instanceof RunError)) throw error
    return `the run ended with the configuration that it began with, but ${error.message}`
  }
}

/** The configuration beside the digest of a run that ended, or in the newest checkpoint that has one. */
async function keptConfiguration(directory: string): Promise<Decisive | undefined> {
  const finished = await readFinished(directory)
  if (finished?.configuration) return finished.configuration
  const { checkpoints } = await listCheckpoints(join(directory, 'checkpoints'))
  return checkpoints.flatMap((one) => ('configuration' in one ? one.configuration : [])).at(-1)
}
