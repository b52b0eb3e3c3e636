import { readFile } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { text } from 'node:stream/consumers'
import { Command, Option } from 'commander'
import {
  createSandbox,
  defaultLimits,
  type Language,
  type RunResult,
  type Verdict,
} from '../../sandbox/index.ts'
import { CommandError, messageOf } from '../command-error.ts'
import { integer } from '../option-parsers.ts'
import { writeLine } from '../write-line.ts'

interface SandboxCommandOptions {
  language?: Language
  python: 'strongest' | 'bubblewrap' | 'pyodide'
  stdin?: true
  file: string[]
  timeout: number
  memory: number
  output: number
  processes: number
  tests?: string
  entry?: string
  json?: true
}

const languages: Record<string, Language> = {
  '.js': 'javascript',
  '.mjs': 'javascript',
  '.cjs': 'javascript',
  '.ts': 'typescript',
  '.mts': 'typescript',
  '.py': 'python',
}

export function sandboxCommand(): Command {
  return new Command('sandbox')
    .description('Run a file as untrusted code: no network, no host files, capped time, memory and output')
    .argument('<file>', 'a JavaScript, TypeScript or Python program')
    .argument('[arguments...]', 'the arguments of the program')
    .addOption(
      new Option('--language <name>', 'the language, where the name of the file does not say').choices([
        'javascript',
        'typescript',
        'python',
      ]),
    )
    .addOption(
      new Option('--python <back end>', 'what runs Python')
        .choices(['strongest', 'bubblewrap', 'pyodide'])
        .default('strongest'),
    )
    .option('--stdin', "hand this command's standard input to the program")
    .option('--file <path...>', 'files to lay beside the program, by their base names', [])
    .option('--timeout <ms>', 'deadline in milliseconds', integer({ minimum: 1 }), defaultLimits.milliseconds)
    .option('--memory <MiB>', 'memory cap', integer({ minimum: 1 }), defaultLimits.memoryBytes / 2 ** 20)
    .option(
      '--output <bytes>',
      'cap of stdout, and of stderr',
      integer({ minimum: 1 }),
      defaultLimits.outputBytes,
    )
    .option(
      '--processes <n>',
      'processes and threads of a Python program',
      integer({ minimum: 1 }),
      defaultLimits.processes,
    )
    .option('--tests <file>', 'judge the program as a solution by these tests')
    .option('--entry <name>', 'the function that the tests call; needed with --tests')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', '\nExits 0 when the program ended well or the tests passed, else 1.')
    .action(runSandbox)
}

async function runSandbox(file: string, args: string[], options: SandboxCommandOptions): Promise<void> {
  const language = options.language ?? languages[extname(file)]
  if (!language) {
    throw new CommandError(`${file}: the language is not known from its name; give --language`)
  }
  if (options.tests !== undefined && options.entry === undefined) {
    throw new CommandError('--tests needs --entry: the name of the function that the tests call')
  }
  const source = await read(file)
  const limits = {
    milliseconds: options.timeout,
    memoryBytes: options.memory * 2 ** 20,
    outputBytes: options.output,
    processes: options.processes,
  }
  const sandbox = await createSandbox({ workers: 1, python: options.python })
  try {
    if (options.tests !== undefined) {
      const tests = await read(options.tests)
      const request = { language, solution: source, tests, entryPoint: options.entry!, limits }
      const verdict = await sandbox.runTests(request)
      await print(verdict, options.json)
      if (!verdict.passed) process.exitCode = 1
      return
    }
    const files = Object.fromEntries(
      await Promise.all(options.file.map(async (path) => [basename(path), await readFile(path)] as const)),
    )
    const stdin = options.stdin ? await text(process.stdin) : ''
    const result = await sandbox.run({ language, source, args, stdin, files, limits })
    await print(result, options.json)
    if (result.stopped !== 'ok') process.exitCode = 1
  } finally {
    await sandbox.close()
  }
}

async function print(result: RunResult | Verdict, json = false): Promise<void> {
  if (json) return writeLine(JSON.stringify(result, null, 2))
  process.stdout.write(result.stdout)
  process.stderr.write(result.stderr)
  if ('passed' in result) await writeLine(result.passed ? 'passed' : `${result.reason}: ${result.message}`)
  else if (result.stopped !== 'ok') process.stderr.write(`whetstone: ${result.stopped}: ${result.reason}\n`)
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CommandError(`cannot read ${path}: ${messageOf(error)}`)
  }
}
