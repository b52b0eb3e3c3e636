/**
 * Mutation test of losses, advantages and reward shaping: each mutation is made to a copy of the sources, on which the tests must
 * then fail.
 *
 *   npm run mutants [-- WORD]      only mutations whose kind or file holds WORD
 *
 * Prints a table; fails when a mutant lives, when a mutation no longer fits the sources, or when the tests fail without any.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startVitest } from 'vitest/node'
import { type Mutation, mutations } from './mutants/mutations.ts'

const root = resolve(import.meta.dirname, '..')
const copied = [
  'src/engine/contract.ts',
  'src/losses',
  'src/advantages',
  'src/rewards',
  'src/evals/pass-at-k.ts',
  'scripts/goldens-losses.ts',
  'scripts/loss-goldens',
  'scripts/gradcheck.ts',
  'scripts/gradcheck',
  'tests/losses',
  'tests/goldens/losses',
  'package.json',
]

/** Number of failed tests and files in the copy, running to the first failure. */
async function failures(directory: string): Promise<number> {
  const vitest = await startVitest('test', [], {
    root: directory,
    watch: false,
    bail: 1,
    reporters: [{}],
    isolate: false,
    include: ['{src,tests}/**/*.test.ts'],
    config: false,
  })
  const failed = vitest.state.getCountOfFailedTests() + vitest.state.getFailedFilepaths().length
  const ran = vitest.state.getFiles().length
  await vitest.close()
  process.exitCode = 0
  if (ran === 0) throw new Error('no test file was found')
  return failed
}

async function survives(directory: string, { file, find, replace }: Mutation): Promise<string> {
  const path = join(directory, 'src', file)
  const source = readFileSync(path, 'utf8')
  if (source.split(find).length !== 2) return 'does not fit'
  writeFileSync(
    path,
    source.replace(find, () => replace),
  )
  const failed = await failures(directory)
  writeFileSync(path, source)
  return failed > 0 ? 'dead' : 'ALIVE'
}

const word = process.argv[2] ?? ''
const chosen = mutations.filter(({ kind, file }) => kind.includes(word) || file.includes(word))
if (chosen.length === 0) {
  console.error(`no mutation's kind or file holds "${word}"`)
  process.exit(2)
}
const directory = mkdtempSync(join(tmpdir(), 'whetstone-mutants-'))
let allDead = true
try {
  for (const path of copied) cpSync(join(root, path), join(directory, path), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
  if ((await failures(directory)) > 0) throw new Error('the tests fail without any mutation; mend them first')
  console.log(`${'kind'.padEnd(19)}${'file'.padEnd(36)}${'state'.padEnd(14)}mutation`)
  for (const mutant of chosen) {
    const state = await survives(directory, mutant)
    if (state !== 'dead') allDead = false
    const line = (text: string) => text.replace(/\s+/g, ' ').trim()
    const change = `${line(mutant.find)}  =>  ${line(mutant.replace) || '(nothing)'}`
    console.log(`${mutant.kind.padEnd(19)}${mutant.file.padEnd(36)}${state.padEnd(14)}${change}`)
  }
  console.log(`${chosen.length} mutants, ${allDead ? 'every one dead' : 'NOT every one dead'}`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
process.exit(allDead ? 0 : 1)
