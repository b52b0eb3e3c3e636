// What travels beside the compiled JavaScript and tsc leaves out: the sandbox's Python sources, the page of a run's report.
import { cpSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
for (const folder of [join('sandbox', 'python'), join('runs', 'report', 'page')])
  cpSync(join(root, 'src', folder), join(root, 'dist', folder), {
    recursive: true,
    filter: (path) => !path.endsWith('__pycache__'),
  })
