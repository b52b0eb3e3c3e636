import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import { listCheckpoints } from './checkpoints.ts'
import { hashFile } from './hash-file.ts'
import { checkRun } from './layout.ts'
import { filesBelow, namesIn } from './listings.ts'

/** Name in the digest and `bytes sha256` of each file that has a part in it, in the order of their names. */
export type DigestedFiles = readonly (readonly [name: string, content: string])[]

/**
 * SHA-256 over what a run came to: weights and optimiser at the end of each stage, metrics, rollouts and results, each file by its
 * name and content. Equal for two runs of one configuration, killed and resumed or not. Times have no part in it.
 */
export async function runDigest(path: string): Promise<string> {
  return digestOf(await digestedFiles(path))
}

export function digestOf(files: DigestedFiles): string {
  const hash = createHash('sha256')
  for (const [name, content] of files) hash.update(`${name} ${content}\n`)
  return hash.digest('hex')
}

export async function digestedFiles(path: string): Promise<DigestedFiles> {
  const directory = resolve(path)
  await checkRun(directory)
  const { checkpoints } = await listCheckpoints(join(directory, 'checkpoints'))
  const last = new Map(checkpoints.map((one) => [one.stage, one]))
  const files: [name: string, path: string][] = []
  for (const [stage, checkpoint] of last) {
    const models = join(checkpoint.directory, 'models')
    for (const file of await filesBelow(models))
      files.push([`models/${stage}-${checkpoint.steps}/${file}`, join(models, file)])
  }
  for (const folder of ['rollouts', 'results'])
    if ((await namesIn(join(directory, folder))).length > 0)
      for (const file of await filesBelow(join(directory, folder)))
        files.push([`${folder}/${file}`, join(directory, folder, file)])
  files.push(['metrics.jsonl', join(directory, 'metrics.jsonl')])
  files.sort(([a], [b]) => (a < b ? -1 : 1))
  const digested: [name: string, content: string][] = []
  for (const [name, file] of files) {
    const { bytes, sha256 } = await hashFile(file)
    digested.push([name, `${bytes} ${sha256}`])
  }
  return digested
}
