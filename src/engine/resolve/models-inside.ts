import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Names of the checkpoint folders, adapter folders and `.gguf` files in a folder, sorted; none where it cannot be read. */
export async function modelsInside(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const isModel = await Promise.all(
    entries.map((entry) =>
      entry.isFile() ? entry.name.endsWith('.gguf') : isModelFolder(join(folder, entry.name)),
    ),
  )
  return entries
    .filter((_, index) => isModel[index])
    .map((entry) => entry.name)
    .sort()
}

/** Whether a folder is that of a training run, which has a config.json of its own kind. A checkpoint may lie beside metrics too, but has no lock. */
export async function isRun(folder: string): Promise<boolean> {
  return (await has(folder, 'metrics.jsonl')) && (await has(folder, 'lock'))
}

async function isModelFolder(folder: string): Promise<boolean> {
  const isOne = (await has(folder, 'config.json')) || (await has(folder, 'adapter_config.json'))
  return isOne && !(await isRun(folder))
}

function has(folder: string, file: string): Promise<boolean> {
  return access(join(folder, file)).then(
    () => true,
    () => false,
  )
}
