import { createRequire } from 'node:module'

/** The addon that `npm ci` built from crates/node; `native/whetstone.node` beside `src` and `dist`. */
export const native = createRequire(import.meta.url)('../../native/whetstone.node')
