// Makes `npx whetstone` in a checkout run this checkout at once: without the link npx asks to install the package first.
import { chmodSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
chmodSync(join(root, 'dist', 'cli', 'main.js'), 0o755)
if (process.platform !== 'win32') {
  const link = join(root, 'node_modules', '.bin', 'whetstone')
  rmSync(link, { force: true })
  symlinkSync(join('..', '..', 'dist', 'cli', 'main.js'), link)
}
