// The sandbox's Python sources travel beside the compiled JavaScript: tsc leaves them out.
import { cpSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
cpSync(join(root, 'src', 'sandbox', 'python'), join(root, 'dist', 'sandbox', 'python'), {
  recursive: true,
  filter: (path) => !path.endsWith('__pycache__'),
})
