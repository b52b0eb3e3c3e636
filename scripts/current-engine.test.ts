import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'whetstone-package-'))
  for (const name of ['build-native.mjs', 'current-engine.mjs'])
    cpSync(join(import.meta.dirname, name), join(root, 'scripts', name))
  for (const name of ['Cargo.toml', 'Cargo.lock', 'crates/engine/src/lib.rs']) put(name, 100)
})
afterEach(() => rmSync(root, { recursive: true }))

/** Writes a file of the package at a second of its own. */
function put(name: string, second: number): void {
  const path = join(root, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, '')
  utimesSync(path, second, second)
}

/** The installation in a shell that finds no program at all. */
function installWithoutRust() {
  const environment = { ...process.env, PATH: join(root, 'none') }
  return spawnSync(process.execPath, [join(root, 'scripts', 'build-native.mjs')], {
    env: environment,
    encoding: 'utf8',
  })
}

describe('an installation without Rust', () => {
  it('takes the engine that is there where that is newer than its sources, and says so in a line', () => {
    put('native/whetstone.node', 200)
    expect(installWithoutRust()).toMatchObject({
      status: 0,
      stderr: '',
      stdout:
        'whetstone: no Rust toolchain was found (`rustc --version` did not run). native/whetstone.node is newer than its sources and stays as it is.\n',
    })
  })

  it.each([
    ['there is no engine', []],
    ['a source is newer', ['crates/engine/src/lib.rs']],
    ['a source is newer that was not there before', ['crates/engine/src/kernels/new.rs']],
    ['the versions of the crates are newer', ['Cargo.lock']],
    ['the toolchain that is asked for is newer', ['rust-toolchain.toml']],
  ])('fails with how to get Rust where %s', (_, newer) => {
    if (newer.length > 0) put('native/whetstone.node', 200)
    for (const name of newer) put(name, 300)
    expect(installWithoutRust()).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('Install it:  curl'),
    })
  })
})
