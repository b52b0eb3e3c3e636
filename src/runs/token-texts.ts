import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { TrainableModel } from '../engine/index.ts'
import { writeFileAtomically } from '../files/index.ts'
import { parseJson } from './parse-json.ts'

const FILE = 'tokens.json'

/** Keeps the text of each token of the first stage's policy, so that a report can show rollouts token by token. */
export async function keepTokenTexts(
  directory: string,
  models: Readonly<Record<string, TrainableModel>>,
): Promise<void> {
  const model = models.policy ?? Object.values(models)[0]
  const path = join(directory, FILE)
  if (!model || (await stat(path).catch(() => undefined))) return
  const { tokenizer } = model
  const texts = Array.from({ length: tokenizer.vocabularySize }, (_, id) => tokenizer.decode([id]))
  await writeFileAtomically(path, JSON.stringify(texts))
}

/** Texts by token id; none where the run kept none. */
export async function readTokenTexts(directory: string): Promise<string[]> {
  try {
    const path = join(directory, FILE)
    return parseJson(z.array(z.string()), await readFile(path, 'utf8'), path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
