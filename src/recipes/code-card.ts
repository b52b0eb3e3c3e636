import { join } from 'node:path'
import type { Task } from '../data/index.ts'
import type { Model } from '../engine/index.ts'
import type { Prompting } from '../evals/index.ts'
import { type ReportCard, type Run, RunInterrupted } from '../runs/index.ts'
import type { Sandbox } from '../sandbox/index.ts'
import { type CodeMeasure, measureCode } from './measure-code.ts'
import { sayNowAndThen } from './say-now-and-then.ts'

/** A set of tasks and how a model is asked them. */
export interface CodeBenchmark {
  /** Stands before the names of its figures; the main one has none. */
  name: string
  tasks: Task[]
  samples: number
  temperature: number
  maxTokens: number
  prompting: Prompting
}

export interface MeasureSettings {
  /** Benchmarks by name; all by default. */
  names?: string[]
  /** In place of the benchmarks' own. */
  prompting?: Prompting
  /** What progress and curves call the stage, where that is another name: it stands beside this one for the reader. */
  shownAs?: string
}

export interface CodeCardOptions {
  run: Run
  model: Model
  sandbox: Sandbox
  benchmarks: CodeBenchmark[]
  log(text: string): void
}

/** pass@1 and pass@10 (or of as many samples as there are) after each stage, gathered for the report. */
export function createCodeCard({ run, model, sandbox, benchmarks, log }: CodeCardOptions) {
  const stages: { name: string; values: Record<string, number> }[] = []
  const written: { stage: string; answers: CodeMeasure['answers'] }[] = []
  const ksOf = ({ samples }: CodeBenchmark) => [...new Set([1, Math.min(10, samples)])]

  /** Takes a measurement as the stage's; `finish` shows it. */
  function keep(stage: string, values: Record<string, number>, answers: CodeMeasure['answers']): void {
    stages.push({ name: stage, values })
    written.push({ stage, answers })
    log(`${stage}: ${describeValues(values)}`)
  }

  return {
    keep,
    /**
     * Measures the model as it is now, on all benchmarks or on those named, and keeps its weights in the run's `models/<stage>`. A
     * resumed run takes the figures that are there. Stops between tasks where the run is asked to.
     */
    async measure(stage: string, { names, prompting, shownAs }: MeasureSettings = {}): Promise<void> {
      const title = shownAs === undefined ? stage : `${stage} (${shownAs})`
      const values: Record<string, number> = {}
      const answers: CodeMeasure['answers'] = []
      for (const benchmark of benchmarks.filter(({ name }) => names?.includes(name) ?? true)) {
        const { name, samples, ...asked } = benchmark
        const say = sayNowAndThen(`${title}: measuring ${name}tasks`, log)
        const measured = await run.once(slug(`${stage} ${name}`), async () => {
          await model.saveWeights(join(run.directory, 'models', slug(stage)))
          return measureCode(model, {
            sandbox,
            ...asked,
            n: samples,
            ks: ksOf(benchmark),
            seed: run.seed,
            onTask: (done) => {
              if (run.signal?.aborted) throw new RunInterrupted(run.directory)
              say(done, asked.tasks.length)
            },
            ...(prompting && { prompting }),
          })
        })
        for (const [key, value] of Object.entries(measured.values)) values[name + key] = value
        answers.push(...measured.answers)
      }
      keep(title, values, answers)
    },
    /** The card with some tasks of each benchmark and what was answered after each stage. */
    finish(notes: string[] = []): ReportCard {
      const shown = benchmarks.flatMap(({ tasks }) =>
        tasks.filter((_, index) => index % Math.ceil(tasks.length / 8) === 0),
      )
      return {
        stages,
        samples: shown.map((task) => ({
          prompt: task.prompt,
          answers: written.flatMap(({ stage, answers }) =>
            answers
              .filter(({ taskId }) => taskId === task.id)
              .map(({ text, passed }) => ({ label: stage, text, passed })),
          ),
        })),
        notes: [
          ...benchmarks.map(
            ({ name, tasks, samples, temperature }) =>
              `${name || 'Held-out '}tasks: ${tasks.length}, ${samples} samples each at temperature ${temperature}.`,
          ),
          'Intervals are of 95 %, by bootstrap over tasks, as if tasks that share an operation were independent.',
          ...notes,
        ],
      }
    },
  }
}

const slug = (text: string) =>
  text
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')

/** `pass@1 53.3 % (45.3 to 61.7), ...` */
function describeValues(values: Record<string, number>): string {
  const percent = (value: number | undefined) => (100 * (value ?? 0)).toFixed(1)
  return Object.keys(values)
    .filter((key) => !/(Low|High)$/.test(key))
    .map((key) => {
      const interval =
        `${key}Low` in values ? ` (${percent(values[`${key}Low`])} to ${percent(values[`${key}High`])})` : ''
      return `${key} ${percent(values[key])} %${interval}`
    })
    .join(', ')
}
