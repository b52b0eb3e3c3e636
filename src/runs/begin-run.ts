import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomically } from '../files/index.ts'
import { type Configuration, compareConfigurations, readConfiguration } from './configuration.ts'
import { refuseEdited } from './edited-configuration.ts'
import { namesIn } from './listings.ts'
import { hardware, versions } from './machine.ts'
import type { RunOptions } from './run.ts'
import { RunError, writing } from './run-error.ts'

/** Reads the configuration of a run that goes on, or writes that of one that begins. */
export async function beginRun(
  directory: string,
  { name, seed, options, program, resume, onNotice, onWarning = () => {} }: RunOptions,
): Promise<Configuration> {
  const path = join(directory, 'config.json')
  for (const folder of [directory, join(directory, 'results')]) await removeUnfinished(folder)
  const now: Configuration = {
    format: 1,
    name,
    seed,
    options: JSON.parse(JSON.stringify(options ?? {})),
    ...(program && { program }),
    versions: versions(),
    hardware: hardware(),
    datasets: {},
    created: new Date().toISOString(),
  }
  const before = await readConfiguration(path)
  if (before && !(await isBlank(directory, before))) {
    if (!resume)
      throw new RunError(
        `there is a run in ${directory} already; go on with it (--resume, in a program resume: true), or choose another directory`,
      )
    await refuseEdited(directory, before)
    for (const warning of compareConfigurations(before, now, path)) onWarning(warning)
    return before
  }
  if (resume && !before) onNotice?.(`there is no run in ${directory} yet; one begins`)
  await writing('config.json', 'Nothing was begun', () => writeConfiguration(directory, now))
  return now
}

/** Whether a run began there and recorded nothing, as one whose options were wrong: it may begin anew, with others. */
async function isBlank(directory: string, { datasets }: Configuration): Promise<boolean> {
  if (await stat(join(directory, 'finished.json')).catch(() => undefined)) return false
  const metrics = await stat(join(directory, 'metrics.jsonl')).catch(() => undefined)
  const kept = await Promise.all(['checkpoints', 'results'].map((folder) => namesIn(join(directory, folder))))
  return (metrics?.size ?? 0) === 0 && kept.flat().length === 0 && Object.keys(datasets).length === 0
}

/** Refuses a directory that is somebody else's, before anything is put into it or taken out: with files and no run's config.json. */
export async function refuseForeign(directory: string): Promise<void> {
  if (await readConfiguration(join(directory, 'config.json'))) return
  const others = (await namesIn(directory)).filter((name) => !OF_A_BEGINNING.test(name))
  if (others.length > 0)
    throw new RunError(
      `${directory} is not empty and holds no run (no config.json, but ${others.slice(0, 3).join(', ')}); choose another directory`,
    )
}

/** What a process that was killed at its beginning leaves. */
const OF_A_BEGINNING = /^(lock|config\.json\..*\.tmp)$/

/** What a killed process was writing. */
async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await namesIn(folder))
    if (name.endsWith('.tmp')) await rm(join(folder, name), { force: true })
}

export async function writeConfiguration(directory: string, configuration: Configuration): Promise<void> {
  await writeFileAtomically(join(directory, 'config.json'), `${JSON.stringify(configuration, null, 2)}\n`)
}

export function checkOptions({ seed, checkpointEvery }: RunOptions): void {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new RunError(`seed is ${seed}; it must be an integer from 0`)
  for (const [unit, value] of Object.entries(checkpointEvery ?? {}))
    if (!(value > 0) || (unit === 'steps' && !Number.isInteger(value)))
      throw new RunError(
        `checkpointEvery.${unit} is ${value}; it must be ${unit === 'steps' ? 'an integer from 1' : 'above 0'}`,
      )
}
