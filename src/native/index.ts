import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const addon = fileURLToPath(new URL('../../native/whetstone.node', import.meta.url))
if (!existsSync(addon))
  throw new Error(
    `the native engine is missing: ${addon} was not built; run \`npm run build\` (it needs Rust 1.89 or newer)`,
  )

/** The addon that `npm ci` built from crates/node; each room types the part of it that it uses. */
export const native = createRequire(import.meta.url)(addon)
