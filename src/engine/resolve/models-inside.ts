import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Names of the checkpoint folders, adapter folders and `.gguf` files in a folder, sorted; none where it cannot be read. */
export async function modelsInside(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  const isModel = await Promise.all(
    names.map((name) => name.endsWith('.gguf') || isModelFolder(folder, name)),
  )
  return names.filter((_, index) => isModel[index]).sort()
}

function isModelFolder(folder: string, name: string): Promise<boolean> {
  const has = (file: string) => access(join(folder, name, file))
  return Promise.any([has('config.json'), has('adapter_config.json')]).then(
    () => true,
    () => false,
  )
}
