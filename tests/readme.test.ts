import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
/** What a checkout is made by, what runs these tests, and what .ci/run does with fewer steps before it runs them. */
const ALREADY_RUN = new Set(['npm ci', '.ci/run', 'npm start'])
/** Commands of half an hour, or on what they leave: the same with fewer steps, or on another model. */
const SHORTER: Record<string, (command: string) => string> = {
  'recipes/smollm2-code': (command) =>
    `${command} --set sftSteps=1 --set rehearsed=8 --set grpoSteps=1 --set tasksPerStep=4 --set heldOut=2 --set heldOutSamples=2 --set humanEval=1 --set humanEvalSamples=1`,
  'runs/tiny-code/models': (command) => command.replace(/runs\/tiny-code\/models\/\w+/, 'smollm2-135m'),
}
const shorter = (command: string) =>
  Object.entries(SHORTER).reduce(
    (text, [part, change]) => (command.includes(part) ? change(text) : text),
    command,
  )
const environment = {
  ...process.env,
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
}
const run = promisify(execFile)

/** Pages whose blocks are run: `sh` and `ts`. One that shows no whole command or program says so: `sh sketch`, `ts sketch`. */
const pages = [
  'README.md',
  'docs/design.md',
  'docs/text.md',
  'docs/losses.md',
  'docs/rollouts.md',
  'docs/training.md',
  'docs/runs.md',
  'docs/sandbox.md',
]

/** The fenced blocks of a language. */
function blocks(page: string, language: string): string[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)]
    .filter((match) => match[1] === language)
    .map((match) => match[2] as string)
}

/** The commands of shell blocks, a continued line as one. */
function commands(page: string): string[] {
  return blocks(page, 'sh')
    .flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

let scratch: string
beforeAll(() => {
  scratch = mkdtempSync(join(root, 'dist', 'readme-'))
})
afterAll(() => rmSync(scratch, { recursive: true }))

describe.each(pages)('%s', (page) => {
  it('has blocks of known languages, each closed', () => {
    const text = readFileSync(join(root, page), 'utf8')
    const fences = [...text.matchAll(/^```(.*)$/gm)].map((match) => match[1])
    expect(fences.length % 2).toBe(0)
    for (const [index, language] of fences.entries())
      if (index % 2 === 0)
        expect(['sh', 'sh sketch', 'ts', 'ts sketch', 'json', 'text', '']).toContain(language)
  })

  const shell = commands(page).filter((command) => !ALREADY_RUN.has(command))
  if (shell.length > 0)
    it.each(shell)('has a command that succeeds: %s', { timeout: 300_000 }, async (command) => {
      const running = run('bash', ['-euo', 'pipefail', '-c', shorter(command)], {
        cwd: scratch,
        env: environment,
      })
      running.child.stdin?.end('Hello\n')
      const { stdout } = await running
      expect(stdout).not.toBe('')
    })

  const programs = blocks(page, 'ts')
  if (programs.length > 0)
    it.each(programs)(
      'has a program that runs and type-checks: %s',
      { timeout: 300_000 },
      async (program) => {
        const file = join(scratch, `${pages.indexOf(page)}-${programs.indexOf(program)}.mts`)
        writeFileSync(file, program)
        const types = '--noEmit --strict --module nodenext --target es2024 --types node --skipLibCheck'.split(
          ' ',
        )
        await run('tsc', ['--ignoreConfig', ...types, file], { cwd: root, env: environment })
        const { stdout } = await run('node', [file], { cwd: root, env: environment })
        expect(stdout).not.toBe('')
      },
    )
})

it('README.zh-CN.md has the commands and programs of README.md', () => {
  for (const language of ['sh', 'ts', 'text'])
    expect(blocks('README.zh-CN.md', language)).toEqual(blocks('README.md', language))
})
