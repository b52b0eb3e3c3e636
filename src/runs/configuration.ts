import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { parseOr } from './parse-json.ts'
import { RunError } from './run-error.ts'

const configurationSchema = z.strictObject({
  format: z.literal(1),
  name: z.string(),
  seed: z.int().min(0),
  /** What the program was told. */
  options: z.json(),
  program: z.strictObject({ file: z.string(), sha256: z.string() }).optional(),
  versions: z.strictObject({ whetstone: z.string(), node: z.string() }),
  hardware: z.strictObject({
    cpu: z.string(),
    enginePath: z.string(),
    threads: z.number(),
    memoryBytes: z.number(),
    platform: z.string(),
  }),
  /** SHA-256 of each set of examples, by its name. */
  datasets: z.record(z.string(), z.string()),
  created: z.string(),
})

/** A run's config.json. */
export type Configuration = z.infer<typeof configurationSchema>

/** The parts of it that results follow from. What else keeps them can tell when config.json was edited. */
export const decisiveSchema = configurationSchema.pick({
  seed: true,
  options: true,
  program: true,
  datasets: true,
})
export type Decisive = z.infer<typeof decisiveSchema>

export function decisiveParts({ seed, options, program, datasets }: Configuration): Decisive {
  return { seed, options, ...(program && { program }), datasets: { ...datasets } }
}

/** Undefined where there is no such file. */
export async function readConfiguration(path: string): Promise<Configuration | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return parseOr(configurationSchema, text, (reason) => {
    return new RunError(
      `${path} is not the config.json of a run (${reason}); choose another directory, or, where it was one, put back what was edited`,
    )
  })
}

/** Refuses to go on with another configuration; gives what may change results without being one. */
export function compareConfigurations(before: Configuration, now: Configuration, path: string): string[] {
  const differences = [
    ...differencesOf('name', before.name, now.name),
    ...differencesOf('seed', before.seed, now.seed),
    ...differencesOf('', before.options, now.options),
  ]
  if (differences.length > 0)
    throw new RunError(
      `this run began with another configuration: ${differences.join('; ')}. ` +
        `Resume it with what ${path} says, or begin a new run in another directory`,
    )
  const warnings: string[] = []
  const compare = (what: string, was: unknown, is: unknown) => {
    if (was !== is)
      warnings.push(`${what} was ${was ?? 'not named'} when the run began and is ${is ?? 'not named'}`)
  }
  compare('the engine path', before.hardware.enginePath, now.hardware.enginePath)
  compare('whetstone', before.versions.whetstone, now.versions.whetstone)
  compare('Node', before.versions.node, now.versions.node)
  if (before.program?.sha256 !== now.program?.sha256)
    if (before.program?.file === now.program?.file)
      warnings.push(`${now.program?.file} was changed since the run began`)
    else compare('the program', before.program?.file, now.program?.file)
  return warnings.map((warning) => `${warning}: results may differ from those of a run that was not resumed`)
}

/** `key was … and is …` of each part that differs. */
export function differencesOf(path: string, before: unknown, now: unknown): string[] {
  if (isObject(before) && isObject(now))
    return [...new Set([...Object.keys(before), ...Object.keys(now)])].flatMap((key) =>
      differencesOf(path === '' ? key : `${path}.${key}`, before[key], now[key]),
    )
  const [was, is] = [JSON.stringify(before), JSON.stringify(now)]
  if (was === is) return []
  return [`${path || 'options'} was ${was ?? 'not given'} and is ${is ?? 'not given'}`]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
