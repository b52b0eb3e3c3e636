import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const SOURCE = 'crates/engine/src/lib.rs'
let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'whetstone-package-'))
  for (const name of ['build-native.mjs', 'current-engine.mjs'])
    cpSync(join(import.meta.dirname, name), join(root, 'scripts', name))
  for (const name of ['Cargo.toml', 'Cargo.lock', SOURCE]) put(name, 100)
  for (const folder of ['crates', 'crates/engine', 'crates/engine/src'])
    utimesSync(join(root, folder), 100, 100)
})
afterEach(() => rmSync(root, { recursive: true }))

/** Writes a file of the package at a second of its own. */
function put(name: string, second: number): void {
  const path = join(root, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, '')
  utimesSync(path, second, second)
}

/** The installation in a shell that finds no program at all, or just a rustc that tells of this version. */
function install(rust?: string) {
  const programs = join(root, 'programs')
  mkdirSync(programs)
  if (rust !== undefined)
    writeFileSync(join(programs, 'rustc'), `#!/bin/sh\necho 'rustc ${rust}'\n`, { mode: 0o755 })
  return spawnSync(process.execPath, [join(root, 'scripts', 'build-native.mjs')], {
    env: { ...process.env, PATH: programs },
    encoding: 'utf8',
  })
}

const shells = (
  [
    ['without Rust', undefined, 'no Rust toolchain was found (`rustc --version` did not run).'],
    [
      'with a Rust that is too old',
      '1.60.0 (7737e0b5c 2022-04-04)',
      'the Rust toolchain is 1.60, which is too old.',
    ],
  ] as const
)
  // A script is no program on Windows.
  .filter(([, rust]) => rust === undefined || process.platform !== 'win32')

describe.each(shells)('an installation %s', (_, rust, problem) => {
  it('takes the engine that is there where that is newer than its sources, and says so in a line', () => {
    put('native/whetstone.node', 200)
    expect(install(rust)).toMatchObject({
      status: 0,
      stderr: '',
      stdout: `whetstone: ${problem} native/whetstone.node is newer than its sources and stays as it is.\n`,
    })
  })

  it.each<[string, () => void]>([
    ['a source is newer', () => put(SOURCE, 300)],
    ['a source came that kept its time', () => put('crates/engine/src/old.rs', 50)],
    ['a source was removed', () => rmSync(join(root, SOURCE))],
    ['a folder of sources was removed', () => rmSync(join(root, 'crates/engine'), { recursive: true })],
    ['the versions of the crates are newer', () => put('Cargo.lock', 300)],
    ['the toolchain that is asked for is newer', () => put('rust-toolchain.toml', 300)],
    ['there is no engine', () => rmSync(join(root, 'native'), { recursive: true })],
  ])('fails with how to get Rust where %s', (_, change) => {
    put('native/whetstone.node', 200)
    change()
    const { status, stdout, stderr } = install(rust)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toContain(`whetstone: ${problem}\n`)
    expect(stderr).toContain('Install it:  curl')
    expect(stderr).toContain('Update it:   rustup update stable')
  })
})
