import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { pathProblem } from './layout.ts'
import { filesBelow, namesIn } from './listings.ts'
import { parseJson } from './parse-json.ts'
import { readHistory } from './report/history.ts'

/** finished.json. */
export const finishedSchema = z.object({ digest: z.string() })

/** Files of rollouts that the metrics tell of and that are gone, relative to the run's directory. Without them the digest is another. */
async function missingRollouts(directory: string): Promise<string[]> {
  const folder = join(directory, 'rollouts')
  const there = new Set((await namesIn(folder)).length > 0 ? await filesBelow(folder) : [])
  return (await readHistory(directory)).flatMap(({ name, steps }) =>
    steps
      .filter(({ rollouts = 0 }) => rollouts > 0)
      .map(({ step }) => `${name}/${step}.jsonl`)
      .filter((file) => !there.has(file))
      .map((file) => `rollouts/${file}`),
  )
}

/**
 * What is wrong with the digest of a run, if anything is: rollouts that are not all there, or another digest than the one with which the run
 * ended.
 */
export async function digestProblem(path: string, digest?: string): Promise<string | undefined> {
  const directory = resolve(path)
  const missing = await missingRollouts(directory)
  if (missing.length === 0) {
    const ended = await digestAtEnd(directory)
    if (digest === undefined || ended === undefined || ended === digest) return undefined
    return `the run ended with the digest ${ended}, and files of ${directory} have been changed or removed since`
  }
  const named = missing.slice(0, 5).join(', ') + (missing.length > 5 ? ` and ${missing.length - 5} more` : '')
  return `missing in ${directory}: ${named}. The digest is not that of the run as it was written; bring the files back to have it again`
}

/** Of a run that has ended. */
async function digestAtEnd(directory: string): Promise<string | undefined> {
  const path = join(directory, 'finished.json')
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw pathProblem(path, error)
  })
  return text === undefined ? undefined : parseJson(finishedSchema, text, path).digest
}
