import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createProgram, runProgram } from '../program.ts'
import { sandboxCommand } from './sandbox.ts'

let directory: string
let stdout: string
let stderr: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-sandbox-'))
  stdout = ''
  stderr = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text
    return true
  })
})
afterEach(async () => {
  vi.restoreAllMocks()
  process.exitCode = undefined
  await rm(directory, { recursive: true })
})

async function run(...args: string[]): Promise<number> {
  process.exitCode = undefined
  const command = sandboxCommand()
  const program = createProgram([command])
  command.configureOutput({ writeErr: (text) => void process.stderr.write(text) })
  await runProgram(program, ['sandbox', ...args])
  return Number(process.exitCode ?? 0)
}

async function file(name: string, content: string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, content)
  return path
}

describe('sandbox', () => {
  it('runs a program with its arguments and files, and ends as the program did', async () => {
    const program = await file('p.ts', 'console.log(sandbox.args as string[], sandbox.readFile("n.txt"))')
    expect(await run(program, 'a', '--file', await file('n.txt', '21'))).toBe(0)
    expect(stdout).toBe('[ "a" ] 21\n')
    expect(await run(await file('q.js', 'throw new Error("no")'))).toBe(1)
    expect(stderr).toContain('whetstone: exception: Error: no')
  })

  it('judges a program by tests', async () => {
    const tests = await file('t.js', 'assert.equal(f(), 1)')
    const judge = async (source: string) => run(await file('s.js', source), '--tests', tests, '--entry', 'f')
    expect(await judge('const f = () => 1')).toBe(0)
    expect(stdout).toBe('passed\n')
    expect(await judge('const f = () => 2')).toBe(1)
    expect(stdout).toBe('passed\nfailed: AssertionError: 2 is not 1\n')
  })

  it.each([
    [['--memory', '1048577'], 'It must be an integer from 1 to 1048576.'],
    [['--timeout', '99999999999'], 'It must be an integer from 1 to 3600000.'],
    [['--output', '1e9'], 'It must be an integer from 1 to 268435456.'],
    [['--processes', '4097'], 'It must be an integer from 1 to 4096.'],
    [['--disk', '65537'], 'It must be an integer from 1 to 65536.'],
    [['--tests', 't.js'], '--tests needs --entry'],
    [['--entry', 'f'], '--entry needs --tests'],
    [['--tests', 't.js', '--entry', 'f', '--stdin'], '--stdin cannot be used with --tests'],
    [['--file', 'a/n.txt', 'b/n.txt'], 'two files are named n.txt'],
  ])('refuses %j as wrong usage', async (args, problem) => {
    expect(await run('p.js', ...args)).toBe(2)
    expect(stderr).toContain(problem)
    expect(stdout).toBe('')
  })

  it('refuses a program whose language is not known', async () => {
    expect(await run('program')).toBe(2)
    expect(stderr).toContain('give --language')
  })

  it('says which file cannot be read and why', async () => {
    const program = await file('p.js', '1')
    await mkdir(join(directory, 'folder'))
    expect(await run(join(directory, 'none.js'))).toBe(1)
    expect(stderr).toMatch(/cannot read .*none\.js: there is no such file/)
    expect(await run(program, '--file', join(directory, 'folder'))).toBe(1)
    expect(stderr).toMatch(/cannot read .*folder: it is a directory/)
    expect(await run(program, '--tests', join(directory, 'none'), '--entry', 'f')).toBe(1)
    expect(stderr).toMatch(/cannot read .*none: there is no such file/)
  })
})
