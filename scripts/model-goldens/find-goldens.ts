import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** The goldens under a folder: model folders, the file of SmolLM2's conversations, the folder of loss vectors. */
export interface Goldens {
  models: string[]
  chat: string | undefined
  losses: string | undefined
}

/** Looks for `models/`, `losses/` and `smollm2-135m.json` in a folder, or model folders, or the files of one. */
export function findGoldens(directory: string): Goldens {
  if (!existsSync(directory) || !statSync(directory).isDirectory())
    throw new Error(`${directory} is not a folder`)
  const isModel = (folder: string) => existsSync(join(folder, 'expected.safetensors'))
  const within = (folder: string) =>
    existsSync(folder) && statSync(folder).isDirectory()
      ? readdirSync(folder)
          .sort()
          .map((name) => join(folder, name))
          .filter(isModel)
      : []
  const chat = join(directory, 'smollm2-135m.json')
  const losses = join(directory, 'losses')
  const goldens = {
    models: [
      ...(isModel(directory) ? [directory] : []),
      ...within(directory),
      ...within(join(directory, 'models')),
    ],
    chat: existsSync(chat) ? chat : undefined,
    losses: existsSync(losses) ? losses : hasLossVectors(directory) ? directory : undefined,
  }
  if (goldens.models.length === 0 && goldens.chat === undefined && goldens.losses === undefined)
    throw new Error(
      `${directory} has no goldens: neither folders with expected.safetensors, nor smollm2-135m.json, nor a folder losses`,
    )
  return goldens
}

function hasLossVectors(directory: string): boolean {
  const files = readdirSync(directory).filter(
    (name) => name.endsWith('.json') && name !== 'smollm2-135m.json',
  )
  return files.some((name) => /^\s*\{\s*"algorithm"/.test(readFileSync(join(directory, name), 'utf8')))
}
