import { Command, Option } from 'commander'
import { programOfCompletion } from '../../data/answers/program.ts'
import { writeFileSafely, writeJsonLines } from '../../data/json-lines.ts'
import { loadTasks } from '../../data/tasks/load-tasks.ts'
import type { Task } from '../../data/tasks/task.ts'
import { evaluateAttempts } from '../../evals/evaluate-attempts.ts'
import { formatResult } from '../../evals/format-result.ts'
import {
  defaultPrompting,
  type GeneratedAttempt,
  generateAttempts,
  type Prompting,
  type SamplingModel,
} from '../../evals/generate-attempts.ts'
import type { Attempt } from '../../evals/judge-samples.ts'
import { readSamples } from '../../evals/samples.ts'
import { createSandbox } from '../../sandbox/index.ts'
import { CommandError } from '../command-error.ts'
import { baseOption, loadOptions, type ModelOptions } from '../model-options.ts'
import { integer, list, nonEmpty, number, temperature } from '../option-parsers.ts'
import { refuseUnwritable } from '../output-files.ts'
import { writeLine } from '../write-line.ts'

interface EvalOptions extends Omit<ModelOptions, 'model'> {
  model?: string
  samples?: string
  n: number
  k?: number[]
  temperature: number
  topP: number
  maxTokens: number
  seed: number
  prompting?: Prompting
  limit?: number
  timeout: number
  quality?: true
  json?: true
  output?: string
  transcript?: string
}

/** Solutions may use threads, as in the official harness; 8 hold any sensible one. */
const processes = 8

export type LoadSamplingModel = (
  name: string,
  options: ReturnType<typeof loadOptions>,
) => Promise<SamplingModel>

export function evalCommand(load: LoadSamplingModel): Command {
  return new Command('eval')
    .description(
      'Judge answers to coding tasks by their hidden tests: pass@k with 95 % intervals, verdicts by reason',
    )
    .argument(
      '<tasks>',
      "humaneval, or a JSONL file of tasks (this project's form, HumanEval's or MBPP's)",
      nonEmpty,
    )
    .option('--samples <file>', 'judge these answers: JSONL of {task_id, completion}', nonEmpty)
    .option(
      '--model <name>',
      'draw answers from this model: a checkpoint or adapter folder, a .gguf file, hf:owner/name, or a short name',
      nonEmpty,
    )
    .addOption(baseOption())
    .addOption(
      new Option('--precision <type>', 'of products; sums are in f32')
        .choices(['f32', 'bf16'])
        .default('bf16'),
    )
    .option('--threads <count>', 'CPU threads (default: one a core)', integer({ minimum: 1, maximum: 1024 }))
    .option(
      '-n, --n <count>',
      'answers of the model to each task',
      integer({ minimum: 1, maximum: 10_000 }),
      1,
    )
    .option(
      '-k, --k <list>',
      'the ks of pass@k, as 1,5,10 (default: every k up to the answers of a task)',
      list(integer({ minimum: 1 })),
    )
    .option('--temperature <value>', 'of the distribution; 0 takes the likeliest token', temperature, 0.8)
    .option(
      '--top-p <share>',
      'draw from the likeliest tokens of this total probability',
      number({ minimum: 0, maximum: 1, above: true }),
      1,
    )
    .option(
      '--max-tokens <count>',
      'new tokens of an answer at most',
      integer({ minimum: 1, maximum: 1_000_000 }),
      512,
    )
    .option(
      '--seed <integer>',
      'the same seed gives the same answers',
      integer({ minimum: 0, maximum: 2 ** 32 - 1 }),
      0,
    )
    .addOption(
      new Option('--prompting <way>', 'default: chat where the model has a chat template').choices([
        'chat',
        'completion',
      ]),
    )
    .option('--limit <count>', 'only the first tasks', integer({ minimum: 1 }))
    .option(
      '--timeout <milliseconds>',
      'for the tests of one answer',
      integer({ minimum: 1, maximum: 3_600_000 }),
      3000,
    )
    .option('--quality', 'also report how the code reads (no part of pass@k)')
    .option('--json', 'print one JSON object: {verdicts, passAtK, ...}')
    .option('--output <file>', 'also write that object to a file, for "whetstone compare"', nonEmpty)
    .option('--transcript <file>', "write the model's answers and their verdicts as JSONL", nonEmpty)
    .action((tasks: string, options: EvalOptions, command: Command) => {
      checkUsage(options, command)
      return evaluate(tasks, options, load)
    })
}

/** Options that say how a model answers; beside --samples they would do nothing. */
const modelOptions = [
  'base',
  'precision',
  'threads',
  'n',
  'temperature',
  'topP',
  'maxTokens',
  'seed',
  'prompting',
] as const satisfies (keyof EvalOptions)[]

function checkUsage({ samples, model, k = [], n }: EvalOptions, command: Command): void {
  if ((samples === undefined) === (model === undefined))
    command.error('error: give one of --samples and --model: the answers, or who writes them')
  const idle = modelOptions.find((name) => command.getOptionValueSource(name) === 'cli')
  if (samples !== undefined && idle !== undefined) {
    const { long } = command.options.find((option) => option.attributeName() === idle)!
    command.error(`error: ${long} says how a model answers; it cannot be used with --samples`)
  }
  const largest = Math.max(...k)
  if (model !== undefined && largest > n)
    command.error(
      `error: pass@${largest} needs at least ${largest} answers of each task; give --n ${largest} or more`,
    )
}

async function evaluate(name: string, options: EvalOptions, load: LoadSamplingModel): Promise<void> {
  for (const path of [options.output, options.transcript])
    if (path !== undefined)
      await refuseUnwritable(path, [name, ...(options.samples ? [options.samples] : [])])
  const whole = await loadTasks(name)
  const taskSet = { ...whole, tasks: whole.tasks.slice(0, options.limit) }
  const { attempts, source } = await attemptsOf(taskSet.tasks, whole.tasks, options, load)
  const sandbox = await createSandbox()
  try {
    const result = await evaluateAttempts(sandbox, taskSet, attempts, {
      limits: { milliseconds: options.timeout, processes },
      source,
      ...(options.k && { ks: options.k }),
      ...(options.quality && { quality: true }),
    })
    const json = JSON.stringify(result)
    if (options.output !== undefined) await writeFileSafely(options.output, `${json}\n`)
    if (options.transcript !== undefined) {
      await writeJsonLines(
        options.transcript,
        attempts.map(({ task, ...attempt }, i) => ({ ...attempt, ...result.verdicts[i] })),
      )
    }
    await writeLine(options.json ? json : formatResult(result))
  } finally {
    await sandbox.close()
  }
}

/** The attempts at `tasks`. Samples of the other `known` tasks are left out. */
async function attemptsOf(
  tasks: Task[],
  known: Task[],
  options: EvalOptions,
  load: LoadSamplingModel,
): Promise<{ attempts: (Attempt | GeneratedAttempt)[]; source: Record<string, unknown> }> {
  if (options.samples !== undefined) {
    const wanted = new Set(tasks)
    const samples = await readSamples(options.samples, known)
    const chosen = samples.filter(({ task }) => wanted.has(task))
    if (chosen.length === 0)
      throw new CommandError(
        `${options.samples}: no samples of the first ${tasks.length} tasks; raise --limit`,
      )
    const attempts = chosen.map(({ task, completion }) => ({
      task,
      program: programOfCompletion(task, completion),
    }))
    return { attempts, source: { samples: options.samples } }
  }
  const name = options.model as string
  const model = await load(name, loadOptions({ ...options, model: name }))
  const { n, temperature, topP, maxTokens, seed } = options
  const prompting = options.prompting ?? defaultPrompting(model.tokenizer)
  const sampling = { n, temperature, topP, maxTokens, seed, prompting }
  const attempts = await generateAttempts(model, tasks, {
    ...sampling,
    onTask: showTasks(tasks.length),
  })
  const { base, precision } = options
  return { attempts, source: { model: name, ...(base !== undefined && { base }), precision, ...sampling } }
}

/** A line on stderr for each tenth of the tasks. */
function showTasks(total: number): (done: number) => void {
  return (done) => {
    if (Math.floor((10 * done) / total) > Math.floor((10 * (done - 1)) / total)) {
      process.stderr.write(`answered ${done} of ${total} tasks\n`)
    }
  }
}
