import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')
const folder = join(root, 'examples')
const examples = readdirSync(folder).filter((name) => name.endsWith('.ts'))

describe('examples', () => {
  it.each(examples)(
    '%s runs to its end in a few steps, and says something',
    { timeout: 120_000 },
    async (name) => {
      const PATH = [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter)
      const { stdout } = await run('node', [join(folder, name)], {
        env: { ...process.env, PATH, STEPS: '4' },
      })
      expect(stdout).not.toBe('')
    },
  )

  it.each(examples)('%s is under 40 lines, and its first line says how to run it', (name) => {
    const lines = readFileSync(join(folder, name), 'utf8').trimEnd().split('\n')
    expect(lines.length).toBeLessThan(40)
    expect(lines[0]).toMatch(new RegExp(`^// .*node examples/${name}$`))
  })
})
