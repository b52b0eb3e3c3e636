import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { registry } from '../src/losses/index.ts'
import { readHead, renderLossesPage } from './docs-losses.ts'

const page = readFileSync(new URL('../docs/losses.md', import.meta.url), 'utf8')

describe('docs/losses.md', () => {
  it('is what the files say now (else: node scripts/docs-losses.ts)', () => {
    expect(page).toBe(renderLossesPage())
  })

  it('has a row for every id', () => {
    for (const id of Object.keys(registry)) expect(page).toContain(`| [\`${id}\`](../src/`)
  })

  it('its example runs', () => {
    const code = /```ts\n([\s\S]*?)```/.exec(page)![1]!
    const local = code.replace(/'whetstone\/(\w+)'/g, (_, room) => {
      return JSON.stringify(fileURLToPath(new URL(`../src/${room}/index.ts`, import.meta.url)))
    })
    const directory = mkdtempSync(join(tmpdir(), 'whetstone-docs-'))
    try {
      const file = join(directory, 'example.ts')
      writeFileSync(file, local)
      expect(execFileSync(process.execPath, [file], { encoding: 'utf8' })).toMatch(/^-?0\.\d{4} 2 0\n$/)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('every file of an id opens with formula, paper and what peers do', () => {
    for (const id of Object.keys(registry)) {
      const room = registry[id as keyof typeof registry].kind === 'advantage' ? 'advantages' : 'losses'
      const url = new URL(`../src/${room}/`, import.meta.url)
      expect(readdirSync(url)).toContain(`${id}.ts`)
      expect(Object.keys(readHead(readFileSync(new URL(`${id}.ts`, url), 'utf8'), id))).toHaveLength(4)
    }
  })

  it('a head that lacks a field is refused by name', () => {
    expect(() => readHead('/**\n * A loss.\n *\n * Formula: x\n * Paper: y\n */', 'a.ts')).toThrow(
      /head of a.ts has no Peers/,
    )
    expect(() => readHead('export {}', 'a.ts')).toThrow(/does not open/)
  })
})
