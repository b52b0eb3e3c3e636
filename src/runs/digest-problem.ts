import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { decisiveSchema } from './configuration.ts'
import { pathProblem } from './layout.ts'
import { filesBelow, namesIn } from './listings.ts'
import { parseJson } from './parse-json.ts'
import { readHistory } from './report/history.ts'
import { type DigestedFiles, digestedFiles, digestOf } from './run-digest.ts'

/** finished.json: the digest with which the run ended, and `bytes sha256` of each file in it by its name there. */
export const finishedSchema = z.object({
  digest: z.string(),
  files: z.record(z.string(), z.string()),
  /** What config.json said. Absent of a run that ended before this was kept: nobody can tell whether that was edited since. */
  configuration: decisiveSchema.optional(),
})
export type Finished = z.infer<typeof finishedSchema>

/** What is wrong with the digest of a run, if anything is; `files` are those that it is of now. */
export async function digestProblem(path: string, files?: DigestedFiles): Promise<string | undefined> {
  const directory = resolve(path)
  return (await missingProblem(directory)) ?? (await changeProblem(directory, files))
}

/** Says which rollouts that the metrics tell of are gone, if any are. */
export async function missingProblem(directory: string): Promise<string | undefined> {
  const folder = join(directory, 'rollouts')
  const there = new Set((await namesIn(folder)).length > 0 ? await filesBelow(folder) : [])
  const missing = (await readHistory(directory)).flatMap(({ name, steps }) =>
    steps
      .filter(({ rollouts = 0 }) => rollouts > 0)
      .map(({ step }) => `${name}/${step}.jsonl`)
      .filter((file) => !there.has(file))
      .map((file) => `rollouts/${file}`),
  )
  if (missing.length === 0) return undefined
  return `missing in ${directory}: ${listed(missing)}. The digest is not that of the run as it was written; bring the files back to have it again`
}

/** Says which files are others than those with which the run ended, if it has ended and any are. */
export async function changeProblem(directory: string, files?: DigestedFiles): Promise<string | undefined> {
  const ended = await readFinished(directory)
  if (ended === undefined) return undefined
  const now = files ?? (await digestedFiles(directory))
  const changes = changesSince(ended.files, now)
  if (changes.length === 0 && digestOf(now) === ended.digest) return undefined
  if (changes.length === 0)
    return `${join(directory, 'finished.json')} was changed: it tells of the digest ${ended.digest}, which is not that of the files that it lists`
  return `the run in ${directory} ended with the digest ${ended.digest}, and since then ${listed(changes)}`
}

function changesSince(ended: Finished['files'], now: DigestedFiles): string[] {
  const contents = new Map(now)
  return [
    ...Object.entries(ended).flatMap(([name, content]) => {
      const is = contents.get(name)
      return is === content ? [] : `${name} was ${is === undefined ? 'removed' : 'changed'}`
    }),
    ...now.filter(([name]) => !Object.hasOwn(ended, name)).map(([name]) => `${name} was added`),
  ]
}

function listed(names: readonly string[]): string {
  const more = names.length > 5 ? ` and ${names.length - 5} more` : ''
  return names.slice(0, 5).join(', ') + more
}

/** Undefined where the run has not ended. */
export async function readFinished(directory: string): Promise<Finished | undefined> {
  const path = join(directory, 'finished.json')
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw pathProblem(path, error)
  })
  return text === undefined ? undefined : parseJson(finishedSchema, text, path)
}
