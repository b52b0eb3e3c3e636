import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { TrainableModel } from '../engine/index.ts'
import { sync, systemWords } from '../files/index.ts'
import { decisiveSchema } from './configuration.ts'
import { problemsOf } from './define-run.ts'
import { type FileDigest, hashFile } from './hash-file.ts'
import { filesBelow, namesIn } from './listings.ts'
import { RunError } from './run-error.ts'

const digest = { bytes: z.int().min(0), sha256: z.string() }
const contents = {
  stage: z.string(),
  /** Steps of the stage that are in the weights. */
  steps: z.int().min(1),
  /** Whether the evaluation was the best of the stage so far. */
  best: z.boolean(),
  /** The part of metrics.jsonl that had been written by then. */
  metrics: z.strictObject(digest),
  /** Bytes of timing.jsonl by then. */
  timingBytes: z.int().min(0),
  /** All files of the checkpoint but the manifest, by path. */
  files: z.record(z.string(), z.strictObject(digest)),
}
/** Checkpoints of before they kept the configuration: a run with these alone goes on with whatever its config.json says now. */
const firstManifestSchema = z.strictObject({ format: z.literal(1), ...contents })
const currentManifestSchema = z.strictObject({
  format: z.literal(2),
  ...contents,
  /** What config.json said. */
  configuration: decisiveSchema,
})
const manifestSchema = z.discriminatedUnion('format', [firstManifestSchema, currentManifestSchema])

type CurrentManifest = z.infer<typeof currentManifestSchema>
export type Manifest = z.infer<typeof manifestSchema>
export type Checkpoint = Manifest & { directory: string }

/** A folder that claims to be a checkpoint, and why it is none. */
export interface Damaged {
  directory: string
  problem: string
}

const MANIFEST = 'manifest.json'
const PARTIAL = '.partial-'
const DAMAGED = 'damaged-'

/**
 * Writes `<parent>/<stage>-<steps>`: models, state.json and, when all of them are on the disk, the manifest. The folder gets its name
 * last, so one with that name is whole.
 */
export async function writeCheckpoint(
  parent: string,
  models: Readonly<Record<string, TrainableModel>>,
  state: unknown,
  about: Omit<CurrentManifest, 'format' | 'files'>,
): Promise<void> {
  const name = `${about.stage}-${about.steps}`
  const partial = join(parent, PARTIAL + name)
  const final = join(parent, name)
  await rm(partial, { recursive: true, force: true })
  try {
    await mkdir(join(partial, 'models'), { recursive: true })
    for (const [model, trained] of Object.entries(models))
      await trained.saveState(join(partial, 'models', model))
    await writeFile(join(partial, 'state.json'), JSON.stringify(state))
    const files: Record<string, FileDigest> = {}
    for (const path of await filesBelow(partial)) {
      await sync(join(partial, path))
      files[path] = await hashFile(join(partial, path))
    }
    const manifest: CurrentManifest = { format: 2, ...about, files }
    await writeFile(join(partial, MANIFEST), JSON.stringify(manifest, null, 2), { flush: true })
    for (const folder of new Set(Object.keys(files).map((path) => path.split('/').slice(0, -1).join('/'))))
      await sync(join(partial, folder))
    await sync(partial)
    await rm(final, { recursive: true, force: true })
    await rename(partial, final)
    await sync(parent)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
}

/** All checkpoints with a readable manifest, oldest first, and folders without one. Says nothing yet about their files. */
export async function listCheckpoints(
  parent: string,
): Promise<{ checkpoints: Checkpoint[]; damaged: Damaged[] }> {
  const checkpoints: Checkpoint[] = []
  const damaged: Damaged[] = []
  for (const name of await namesIn(parent)) {
    if (name.startsWith(PARTIAL) || name.startsWith(DAMAGED)) continue
    const directory = join(parent, name)
    try {
      const manifest = manifestSchema.safeParse(JSON.parse(await readFile(join(directory, MANIFEST), 'utf8')))
      if (!manifest.success) throw new Error(problemsOf(manifest.error))
      checkpoints.push({ ...manifest.data, directory })
    } catch (error) {
      damaged.push({ directory, problem: `its ${MANIFEST} cannot be read (${firstLine(error)})` })
    }
  }
  checkpoints.sort((a, b) => a.metrics.bytes - b.metrics.bytes)
  return { checkpoints, damaged }
}

/** What is wrong with a checkpoint's files, if anything is. */
export async function problemOf({ directory, files }: Checkpoint): Promise<string | undefined> {
  for (const [path, expected] of Object.entries(files)) {
    let found: FileDigest
    try {
      found = await hashFile(join(directory, path))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return `${path} is missing`
      throw error
    }
    if (found.bytes !== expected.bytes) return `${path} has ${found.bytes} bytes instead of ${expected.bytes}`
    if (found.sha256 !== expected.sha256) return `${path} is not what was written (its SHA-256 differs)`
  }
  return undefined
}

/** Puts a damaged checkpoint out of the way, for whoever wants to see what became of it. */
export async function setAside({ directory }: Damaged): Promise<string> {
  const cut = directory.lastIndexOf('/') + 1
  const aside = directory.slice(0, cut) + DAMAGED + directory.slice(cut)
  await rm(aside, { recursive: true, force: true })
  await rename(directory, aside)
  return aside
}

export async function removePartial(parent: string): Promise<void> {
  for (const name of await namesIn(parent))
    if (name.startsWith(PARTIAL)) await rm(join(parent, name), { recursive: true, force: true })
}

/** Removes a checkpoint; it loses its name first, so that none is ever half removed. */
export async function removeCheckpoint(
  parent: string,
  { directory, stage, steps }: Checkpoint,
): Promise<void> {
  const partial = join(parent, `${PARTIAL}${stage}-${steps}`)
  await rm(partial, { recursive: true, force: true })
  await rename(directory, partial)
  await rm(partial, { recursive: true, force: true })
}

/**
 * What no resume needs: of the stage at work all but the newest `recent` and the newest best one; of stages before it all but the last
 * and the best.
 */
export function superfluous(checkpoints: readonly Checkpoint[], stage: string, recent = 2): Checkpoint[] {
  const kept = new Set<Checkpoint>()
  for (const name of new Set(checkpoints.map((one) => one.stage))) {
    const own = checkpoints.filter((one) => one.stage === name)
    for (const one of own.slice(name === stage ? -recent : -1)) kept.add(one)
    const best = own.findLast((one) => one.best)
    if (best) kept.add(best)
  }
  return checkpoints.filter((one) => !kept.has(one))
}

/** Restores models by their names in the stage, or the only one of a checkpoint whatever its name. */
export async function loadModels(
  { directory, stage, steps, files }: Checkpoint,
  models: Readonly<Record<string, TrainableModel>> | TrainableModel,
): Promise<void> {
  const saved = [...new Set(Object.keys(files).flatMap((path) => /^models\/([^/]+)\//.exec(path)?.[1] ?? []))]
  const about = `the checkpoint of ${stage} after ${steps} steps has the models ${saved.join(', ') || '(none)'}`
  if (isModel(models)) {
    if (saved.length !== 1) throw new RunError(`${about}; give one for each, by its name`)
    return models.loadState(join(directory, 'models', saved[0] as string))
  }
  for (const name of Object.keys(models))
    if (!saved.includes(name))
      throw new RunError(
        `${about}, but no "${name}"; was the program changed since? Resume with the one that began the run`,
      )
  for (const [name, model] of Object.entries(models)) await model.loadState(join(directory, 'models', name))
}

function isModel(value: Readonly<Record<string, TrainableModel>> | TrainableModel): value is TrainableModel {
  return typeof value.loadState === 'function'
}

function firstLine(error: unknown): string {
  return systemWords(error).split('\n')[0] as string
}
