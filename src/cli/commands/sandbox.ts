import { basename, extname } from 'node:path'
import { text } from 'node:stream/consumers'
import { Command, Option } from 'commander'
import {
  createSandbox,
  defaultLimits,
  type Language,
  type Limits,
  largestLimits,
  type RunResult,
  type Sandbox,
  type Verdict,
} from '../../sandbox/index.ts'
import { CommandError } from '../command-error.ts'
import { readInputFile, readInputText } from '../input-files.ts'
import { integer, nonEmpty } from '../option-parsers.ts'
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
  disk: number
  tests?: string
  entry?: string
  json?: true
}

const mebibyte = 2 ** 20

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
    .argument('<file>', 'a JavaScript, TypeScript or Python program', nonEmpty)
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
    .option(
      '--timeout <ms>',
      'deadline in milliseconds',
      capParser('milliseconds'),
      defaultLimits.milliseconds,
    )
    .option(
      '--memory <MiB>',
      'memory cap',
      capParser('memoryBytes', mebibyte),
      defaultLimits.memoryBytes / mebibyte,
    )
    .option(
      '--output <bytes>',
      'cap of stdout, and of stderr',
      capParser('outputBytes'),
      defaultLimits.outputBytes,
    )
    .option(
      '--processes <n>',
      'processes and threads of a Python program',
      capParser('processes'),
      defaultLimits.processes,
    )
    .option(
      '--disk <MiB>',
      'room for files',
      capParser('fileBytes', mebibyte),
      defaultLimits.fileBytes / mebibyte,
    )
    .option(
      '--tests <file>',
      'judge the program as a solution by these tests: code in its language that throws where it is wrong',
      nonEmpty,
    )
    .option('--entry <name>', 'the function that the tests call; needed with --tests', nonEmpty)
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', '\nExits 0 when the program ended well or the tests passed, else 1.')
    .action((file: string, args: string[], options: SandboxCommandOptions, command: Command) => {
      const language = options.language ?? languages[extname(file)]
      if (language === undefined) {
        return command.error(`error: ${file}: the language is not known from its name; give --language`)
      }
      checkUsage(args, options, command)
      return runSandbox({ file, language, args, options })
    })
}

/** A parser of a cap in units of so many of the limit's own. */
function capParser(name: keyof Limits, unit = 1): (text: string) => number {
  return integer({ minimum: 1, maximum: largestLimits[name] / unit })
}

function checkUsage(args: string[], options: SandboxCommandOptions, command: Command): void {
  const { tests, entry, stdin, file } = options
  if (tests !== undefined && entry === undefined)
    command.error('error: --tests needs --entry: the name of the function that the tests call')
  if (tests === undefined && entry !== undefined)
    command.error('error: --entry needs --tests: the file of the tests that call it')
  const idle = { arguments: args.length > 0, '--stdin': stdin, '--file': file.length > 0 }
  for (const [name, isGiven] of Object.entries(idle)) {
    if (tests !== undefined && isGiven)
      command.error(
        `error: ${name} cannot be used with --tests: tests call the solution and hand it nothing else`,
      )
  }
  const names = file.map((path) => basename(path))
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    command.error(`error: two files are named ${twice}; files lie beside the program by their base names`)
}

interface Invocation {
  file: string
  language: Language
  args: string[]
  options: SandboxCommandOptions
}

async function runSandbox(invocation: Invocation): Promise<void> {
  const { file, options } = invocation
  const source = await readInputText(file)
  const limits: Limits = {
    milliseconds: options.timeout,
    memoryBytes: options.memory * mebibyte,
    outputBytes: options.output,
    processes: options.processes,
    fileBytes: options.disk * mebibyte,
  }
  const sandbox = await createSandbox({ workers: 1, python: options.python, fileBytes: limits.fileBytes })
  try {
    const result =
      options.tests === undefined
        ? await run(sandbox, source, limits, invocation)
        : await judge(sandbox, source, limits, invocation)
    await print(result, options.json)
    if ('passed' in result ? !result.passed : result.stopped !== 'ok') process.exitCode = 1
  } finally {
    await sandbox.close()
  }
}

async function run(sandbox: Sandbox, source: string, limits: Limits, invocation: Invocation) {
  const { language, args, options } = invocation
  const files = Object.fromEntries(
    await Promise.all(options.file.map(async (path) => [basename(path), await readInputFile(path)] as const)),
  )
  const stdin = options.stdin ? await text(process.stdin) : ''
  return sandbox.run({ language, source, args, stdin, files, limits })
}

async function judge(sandbox: Sandbox, source: string, limits: Limits, { language, options }: Invocation) {
  const tests = await readInputText(options.tests!)
  if (tests.trim() === '') throw new CommandError(`${options.tests} has no tests; write code that throws`)
  return sandbox.runTests({ language, solution: source, tests, entryPoint: options.entry!, limits })
}

async function print(result: RunResult | Verdict, json = false): Promise<void> {
  if (json) return writeLine(JSON.stringify(result, null, 2))
  process.stdout.write(result.stdout)
  process.stderr.write(result.stderr)
  if ('passed' in result) await writeLine(result.passed ? 'passed' : `${result.reason}: ${result.message}`)
  else if (result.stopped !== 'ok') process.stderr.write(`whetstone: ${result.stopped}: ${result.reason}\n`)
}
