// Builds the native addon from crates/node and puts it at native/whetstone.node. Runs on any Node, since `npm ci` calls it
// with whatever the machine has.
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasCurrentEngine } from './current-engine.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const MINIMUM_RUST = [1, 89]

function rustVersion() {
  const found = spawnSync('rustc', ['--version'], { encoding: 'utf8' })
  const match = found.status === 0 ? /rustc (\d+)\.(\d+)/.exec(found.stdout) : null
  return match ? [Number(match[1]), Number(match[2])] : null
}

/** Ends the installation: well where the engine is there already, as in a second one from a shell without cargo (npx makes such). */
function stopBecause(problem) {
  if (hasCurrentEngine(root)) {
    console.log(`whetstone: ${problem} native/whetstone.node is newer than its sources and stays as it is.`)
    process.exit(0)
  }
  console.error(`whetstone: ${problem}
Its engine is built from source on installation and needs Rust ${MINIMUM_RUST.join('.')} or newer with cargo.
Install it:  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh
Update it:   rustup update stable
Then run the installation again.`)
  process.exit(1)
}

const version = rustVersion()
if (!version) stopBecause('no Rust toolchain was found (`rustc --version` did not run).')
if (version[0] < MINIMUM_RUST[0] || (version[0] === MINIMUM_RUST[0] && version[1] < MINIMUM_RUST[1]))
  stopBecause(`the Rust toolchain is ${version.join('.')}, which is too old.`)

try {
  execFileSync('cargo', ['build', '--release', '--locked', '-p', 'whetstone-node'], {
    cwd: root,
    stdio: 'inherit',
  })
} catch {
  console.error('whetstone: building the native engine failed; the compiler output above says why.')
  process.exit(1)
}
const library =
  { darwin: 'libwhetstone_node.dylib', win32: 'whetstone_node.dll' }[process.platform] ??
  'libwhetstone_node.so'
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target')
mkdirSync(join(root, 'native'), { recursive: true })
const temporary = join(root, 'native', `whetstone.node.${process.pid}`)
copyFileSync(join(target, 'release', library), temporary)
renameSync(temporary, join(root, 'native', 'whetstone.node'))
