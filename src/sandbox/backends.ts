import { findBubblewrap, findPython } from './bubblewrap.ts'
import { pyodideFolder } from './pyodide-process.ts'
import { createBubblewrapPython } from './python-bubblewrap.ts'
import { createPyodide } from './python-pyodide.ts'
import { createQuickjs } from './quickjs.ts'
import type { Backend, BackendName } from './types.ts'

export interface BackendFactory {
  name: BackendName
  isolation: string
  /** Why it cannot be used here, and what to do; absent when it can. */
  missing?: string
  create(workers: number, fileBytes: number): Backend
}

/** Every back end, the strongest of a language first. */
export async function backendFactories(): Promise<BackendFactory[]> {
  const [bubblewrap, system] = await Promise.all([findBubblewrap(), findPython()])
  const lacks = [bubblewrap, system]
    .flatMap((part) => (part.found ? [] : [`${part.why}; ${part.mend}`]))
    .join('. ')
  return [
    {
      name: 'quickjs',
      isolation: 'a WebAssembly interpreter with no access to Node, in a thread that can be ended',
      create: createQuickjs,
    },
    {
      name: 'python-bubblewrap',
      isolation: 'kernel namespaces without network or host files, a user and limits of its own',
      ...(lacks && { missing: lacks }),
      create(workers, fileBytes) {
        if (!system.found) throw new Error(lacks)
        return createBubblewrapPython(system.value, workers, fileBytes)
      },
    },
    {
      name: 'python-pyodide',
      isolation: "WebAssembly in a process that Node's permission model locks down; slower to start",
      ...(!pyodideFolder() && { missing: 'the pyodide package is not installed; npm install pyodide' }),
      create: createPyodide,
    },
  ]
}
