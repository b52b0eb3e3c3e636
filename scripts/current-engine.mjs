// Whether the engine in native/ needs no building. Runs on any Node, as build-native.mjs does.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What cargo builds the engine from. */
const SOURCES = ['crates', 'Cargo.toml', 'Cargo.lock', 'rust-toolchain', 'rust-toolchain.toml']

/**
 * Whether the folder of the package has an engine that is newer than everything that it is built from. Times are all it compares: it sees
 * no source whose content was replaced under an older time in place (`cp -p`), no file that was removed beside package.json (that folder
 * changes with every installation), and no other compiler or flags. It is asked only where nothing can be built; else cargo compares.
 */
export function hasCurrentEngine(root) {
  const built = statSync(join(root, 'native', 'whetstone.node'), { throwIfNoEntry: false })
  return built !== undefined && SOURCES.every((name) => newestIn(join(root, name)) < built.mtimeMs)
}

/** When the file, or the newest of the folder and all below it, was written: a folder is when a file in it was removed, added or renamed. */
function newestIn(path) {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) return Number.NEGATIVE_INFINITY
  if (!found.isDirectory()) return found.mtimeMs
  return Math.max(found.mtimeMs, ...readdirSync(path).map((name) => newestIn(join(path, name))))
}
