import { type BackendFactory, backendFactories } from './backends.ts'

export interface BackendReport {
  name: BackendFactory['name']
  language: string
  present: boolean
  /** Whether runs of its language go here. */
  chosen: boolean
  /** What stands between a program and the host. */
  isolation: string
  /** Why it is missing and what to install; absent when present. */
  missing?: string
}

/** Every back end of the sandbox on this machine, the strongest of each language first. */
export async function sandboxReport(): Promise<BackendReport[]> {
  const taken = new Set<string>()
  return (await backendFactories()).map(({ name, isolation, missing }) => {
    const language = name === 'quickjs' ? 'JavaScript and TypeScript' : 'Python'
    const present = missing === undefined
    const chosen = present && !taken.has(language)
    if (chosen) taken.add(language)
    return { name, language, present, chosen, isolation, ...(missing !== undefined && { missing }) }
  })
}
