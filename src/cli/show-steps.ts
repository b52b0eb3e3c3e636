import type { StageReport } from '../trainers/stage.ts'
import { QuietBar } from './quiet-bar.ts'

const MILLISECONDS_BETWEEN_LINES = 5000
/** Beginnings of names, the most telling first. */
const TELLING = ['reward', 'pass', 'accuracy', 'loss', 'kl', 'entropy']
const SHOWN = 4

export interface StepsOnScreen {
  report(report: StageReport): void
  /** A line beside the progress. */
  line(text: string): void
  stop(): void
}

/** Shows steps on stderr: a bar for each stage on a terminal; elsewhere a line every few seconds and at a stage's ends. */
export function showSteps(output: NodeJS.WriteStream = process.stderr): StepsOnScreen {
  let bar: QuietBar | undefined
  let stage = ''
  let seconds: number[] = []
  let written = 0
  const stop = () => {
    bar?.stop()
    bar = undefined
  }
  const line = (text: string) => {
    stop()
    output.write(`${text}\n`)
  }
  return {
    line,
    stop,
    report(report) {
      const begins = report.stage !== stage
      if (begins) {
        stop()
        seconds = []
        stage = report.stage
      }
      seconds.push(report.seconds.step ?? 0)
      const done = report.step + 1
      const left = duration((report.steps - done) * mean(seconds.slice(-20)))
      const figures = tellingFigures(report)
      for (const warning of report.warnings) line(`${stage}, step ${report.step}: ${warning}`)
      if (output.isTTY) {
        if (!bar) {
          bar = new QuietBar({
            format: '{stage} [{bar}] {value}/{total}  {figures}  {left} left',
            stream: output,
            hideCursor: true,
            barsize: 20,
          })
          bar.start(report.steps, done, { stage, figures, left })
        } else bar.update(done, { figures, left })
        if (done === report.steps) stop()
        return
      }
      const now = performance.now()
      if (!begins && done !== report.steps && now - written < MILLISECONDS_BETWEEN_LINES) return
      written = now
      output.write(`${stage} ${done}/${report.steps}  ${figures}  ${left} left\n`)
    },
  }
}

function tellingFigures({ metrics, evaluation = {} }: StageReport): string {
  const names = Object.keys(metrics)
  const chosen = TELLING.flatMap((start) => names.find((name) => name.toLowerCase().startsWith(start)) ?? [])
  const measured = Object.keys(evaluation).filter((name) => !/(Low|High)$/.test(name))
  return [
    ...(chosen.length > 0 ? chosen : names).slice(0, SHOWN).map((name) => [name, metrics[name]] as const),
    ...measured.slice(0, 2).map((name) => [name, evaluation[name]] as const),
  ]
    .map(([name, value]) => `${name} ${figure(value as number)}`)
    .join('  ')
}

function figure(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4)
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1)
}

function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`
}
