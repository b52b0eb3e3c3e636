import { access, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/**
 * The checkpoint folders, adapter folders and `.gguf` files in a folder, and those that training runs in it have made, as paths in it,
 * sorted; none where it cannot be read.
 */
export async function modelsInside(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const models = entries.map(async (entry) => {
    const path = join(folder, entry.name)
    if (entry.isFile()) return entry.name.endsWith('.gguf') ? [entry.name] : []
    if (await isModelFolder(path)) return [entry.name]
    if (!(await isRun(path))) return []
    return (await modelsInside(join(path, 'models'))).map((name) => join(entry.name, 'models', name))
  })
  return (await Promise.all(models)).flat().sort()
}

/** The training run that a path is of, itself or a part. */
export async function runAround(path: string): Promise<string | undefined> {
  if (await isRun(path)) return path
  const above = dirname(path)
  return above === path ? undefined : runAround(above)
}

/** Whether a folder is that of a training run, which has a config.json of its own kind. A checkpoint may lie beside metrics too, but has no lock. */
async function isRun(folder: string): Promise<boolean> {
  return (await has(folder, 'metrics.jsonl')) && (await has(folder, 'lock'))
}

/** Whether a folder is a checkpoint or an adapter. */
export async function isModelFolder(folder: string): Promise<boolean> {
  const isOne = (await has(folder, 'config.json')) || (await has(folder, 'adapter_config.json'))
  return isOne && !(await isRun(folder))
}

function has(folder: string, file: string): Promise<boolean> {
  return access(join(folder, file)).then(
    () => true,
    () => false,
  )
}
