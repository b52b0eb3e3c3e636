import { join, resolve } from 'node:path'
import { readHistory } from './report/history.ts'
import { filesBelow, namesIn } from './sync.ts'

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

/** What is wrong with the digest of a run whose rollouts are not all there, if anything is. */
export async function digestProblem(path: string): Promise<string | undefined> {
  const directory = resolve(path)
  const missing = await missingRollouts(directory)
  if (missing.length === 0) return undefined
  const named = missing.slice(0, 5).join(', ') + (missing.length > 5 ? ` and ${missing.length - 5} more` : '')
  return `missing in ${directory}: ${named}. The digest is not that of the run as it was written; bring the files back to have it again`
}
