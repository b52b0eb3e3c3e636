import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Tokenizer, trainTokenizer } from '../../text/index.ts'
import type { LoadModel } from '../load-model.ts'
import { createProgram, runProgram } from '../program.ts'
import { doctorCommand } from './doctor.ts'
import { sampleCommand } from './sample.ts'
import { scoreCommand } from './score.ts'

let tokenizer: Tokenizer
let directory: string
let stdout: string
let stderr: string
/** What the commands asked of the model. */
let asked: unknown[]

beforeAll(async () => {
  tokenizer = await trainTokenizer(['hello there'], {
    vocabularySize: 260,
    specialTokens: ['<|end|>', '<|user|>'],
    eosToken: '<|end|>',
    chatTemplate:
      '{% for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|user|>{% endif %}',
  })
})
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'whetstone-cli-'))
  stdout = ''
  stderr = ''
  asked = []
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

/** Scores token t as -t and with entropy t / 2; continues a prompt by its own tokens. */
const load: LoadModel = async (name, options) => {
  asked.push({ name, options })
  return {
    info: { vocabularySize: tokenizer.vocabularySize, context: 1000 },
    tokenizer,
    async forward(sequences, given) {
      asked.push(given)
      return sequences.map(({ target }) => ({
        logprobs: Float32Array.from(target, (token) => -token),
        entropy: Float32Array.from(target, (token) => token / 2),
      }))
    },
    async sample(request) {
      asked.push(request)
      return Array.from({ length: request.n }, (_, index) => ({
        text: `answer ${index}`,
        promptTokens: request.prompt,
        tokens: Int32Array.of(5, 6),
        logprobs: Float32Array.of(-0.5, -0.25),
        stopReason: 'length' as const,
      }))
    },
  }
}

async function run(command: Command, ...args: string[]): Promise<number> {
  const program = createProgram([command])
  const output = { writeErr: (text: string) => void process.stderr.write(text) }
  program.configureOutput(output)
  command.configureOutput(output)
  await runProgram(program, [command.name(), ...args])
  return Number(process.exitCode ?? 0)
}

describe('sample', () => {
  it('prints a line of JSON a sample', async () => {
    expect(await run(sampleCommand(load), '--model', 'm', '--prompt', 'hello', '--n', '2', '--json')).toBe(0)
    const promptTokens = [...tokenizer.encode('hello')]
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { text: 'answer 0', promptTokens, tokens: [5, 6], logprobs: [-0.5, -0.25], stopReason: 'length' },
      { text: 'answer 1', promptTokens, tokens: [5, 6], logprobs: [-0.5, -0.25], stopReason: 'length' },
    ])
  })

  it('hands every option to the model', async () => {
    const flags =
      '--max-tokens 7 --temperature 0.5 --top-k 3 --top-p 0.9 --min-p 0.1 --seed 11 --stop a --stop b --precision f32 --threads 2 --base b'
    await run(sampleCommand(load), '--model', 'm', '--prompt', 'hello', ...flags.split(' '))
    expect(asked).toEqual([
      { name: 'm', options: { precision: 'f32', threads: 2, base: 'b' } },
      {
        prompt: tokenizer.encode('hello'),
        n: 1,
        maxTokens: 7,
        temperature: 0.5,
        topK: 3,
        topP: 0.9,
        minP: 0.1,
        seed: 11,
        stopTokens: [0],
        stopStrings: ['a', 'b'],
      },
    ])
  })

  it('renders the prompt by the chat template when asked', async () => {
    await run(sampleCommand(load), '--model', 'm', '--prompt', 'hello', '--chat', '--json')
    expect(tokenizer.decode(JSON.parse(stdout).promptTokens)).toBe('<|user|>hello<|end|><|user|>')
  })

  it.each([
    [['--prompt', 'x', '--n', '0'], 'integer from 1', 2],
    [['--prompt', 'x', '--temperature', '-1'], 'It must be 0, or a number from', 2],
    [['--prompt', 'x', '--temperature', 'NaN'], 'It must be 0, or a number from', 2],
    [['--prompt', 'x', '--temperature', '1e-7'], 'It must be 0, or a number from', 2],
    [['--prompt', 'x', '--stop', ''], 'It must not be empty', 2],
    [['--prompt', 'x', '--max-tokens', '1000001'], 'integer from 1 to 1000000', 2],
    [['--prompt', 'x', '--top-p', '0'], 'number above 0', 2],
    [['--prompt', 'x', '--seed', '1.5'], 'integer from 0', 2],
    [['--prompt', 'x', '--precision', 'f16'], 'Allowed choices are f32, bf16', 2],
    [['--prompt', 'x', '--nonesuch'], "unknown option '--nonesuch'", 2],
    [['--prompt', ''], '--prompt is empty', 2],
    [[], 'one of --prompt and --prompt-file', 2],
    [['--prompt', 'x', '--prompt-file', 'y'], 'one of --prompt and --prompt-file', 2],
    [['--prompt-file', 'nonesuch.txt'], 'cannot read nonesuch.txt: there is no such file or folder', 1],
    [['--prompt-file', import.meta.dirname], 'it is a directory', 1],
    [['--prompt-file', '/dev/zero'], 'it has more than 256 MiB', 1],
    [['--prompt-file', ''], 'must not be empty', 2],
    [['--prompt-file', process.execPath], 'it is not UTF-8 text; save it as UTF-8', 1],
  ])('refuses %j', async (args, problem, exitCode) => {
    expect(await run(sampleCommand(load), '--model', 'm', ...args)).toBe(exitCode)
    expect(stderr).toContain(problem)
    expect(stdout).toBe('')
    // What is wrong with the usage is said before a model is loaded for minutes.
    if (exitCode === 2) expect(asked).toEqual([])
  })
})

describe('score', () => {
  const scoreFile = async (text: string, ...args: string[]) => {
    const file = join(directory, 'rows.jsonl')
    await writeFile(file, text)
    return run(scoreCommand(load), '--model', 'm', '--tokens', file, ...args)
  }

  it('prints a line a row, entry i about token i + 1', async () => {
    expect(await scoreFile('[1, 2, 4]\n\n[7]\r\n[3, 8]', '--json', '--temperature', '0.5')).toBe(0)
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { logprobs: [-2, -4], entropy: [1, 2] },
      { logprobs: [], entropy: [] },
      { logprobs: [-8], entropy: [4] },
    ])
    expect(asked.at(-1)).toEqual({ entropy: true, temperature: 0.5 })
  })

  it('scores a long file in parts, keeping its order', async () => {
    const rows = Array.from({ length: 40 }, (_, index) => Array.from({ length: 1000 }, () => index))
    await scoreFile(rows.map((row) => JSON.stringify(row)).join('\n'), '--json')
    const firsts = stdout
      .trim()
      .split('\n')
      .map((line) => 2 * JSON.parse(line).entropy[0])
    expect(firsts).toEqual(rows.map((_, index) => index))
    expect(asked.length).toBeGreaterThan(2)
  })

  it.each([
    ['[1, 2', 'line 1: not valid JSON'],
    ['[1]\n{"a": 1}', 'line 2: not a JSON array'],
    ['[]', 'line 1: the row has no tokens; write two token ids or more, of which the first is not scored'],
    ['[1, -1]', 'entry 1 is -1'],
    ['[1.5, 2]', 'entry 0 is 1.5'],
    ['["a", 2]', 'entry 0 is "a"'],
    ['[1, 100000]', 'entry 1 is 100000; token ids are integers from 0 to'],
    ['[1, 1e400]', 'entry 1 is not a finite number; token ids are integers from 0 to'],
    ['[-1e400]', 'entry 0 is not a finite number'],
    ['[null]', 'entry 0 is null'],
  ])('names the line and entry that is wrong: %j', async (text, problem) => {
    expect(await scoreFile(text)).toBe(1)
    expect(stderr).toContain(problem)
  })

  it.each([
    [['--tokens', 'x', '--temperature', '0'], 'number from 0.000001 to 100'],
    [[], "required option '--tokens <file>' not specified"],
  ])('refuses %j', async (args, problem) => {
    expect(await run(scoreCommand(load), '--model', 'm', ...args)).toBe(2)
    expect(stderr).toContain(problem)
  })

  it('refuses a file without rows', async () => {
    expect(await scoreFile('\n\n')).toBe(1)
    expect(stderr).toContain('has no rows of tokens; write a JSON array on each line')
  })

  it('says so when the file cannot be read', async () => {
    expect(await run(scoreCommand(load), '--model', 'm', '--tokens', join(directory, 'none'))).toBe(1)
    expect(stderr).toMatch(/cannot read .*none: there is no such file/)
    expect(await run(scoreCommand(load), '--model', 'm', '--tokens', directory)).toBe(1)
    expect(stderr).toMatch(/cannot read .*: it is a directory/)
  })
})

describe('doctor', () => {
  it('reports the machine as JSON', async () => {
    expect(await run(doctorCommand(), '--json')).toBe(0)
    const report = JSON.parse(stdout)
    expect(report.cpu.availablePaths).toContain(report.cpu.path)
    expect(report.cpu.threads).toBeGreaterThan(0)
    expect(report.memory.availableBytes).toBeGreaterThan(0)
    expect(report.node).toBe(process.versions.node)
  })

  it('names what is missing, what it prevents and how to mend it', async () => {
    vi.stubEnv('PATH', directory)
    expect(await run(doctorCommand())).toBe(0)
    vi.unstubAllEnvs()
    expect(stdout).toMatch(
      /python3 is not installed\.\n {2}Prevents: .*\n {2}Mend: {5}apt-get install python3/,
    )
  })
})
