import type { StageReport } from '../trainers/stage.ts'
import { RunError } from './run-error.ts'

/** Refuses figures that are none, before they are written where only numbers can be read back. */
export function checkReport({ stage, step, metrics, evaluation, warnings }: StageReport): void {
  for (const [name, value] of [...Object.entries(metrics), ...Object.entries(evaluation ?? {})])
    if (typeof value !== 'number')
      throw new RunError(`step ${step} of ${stage} reports ${name} = ${shown(value)}; a metric is a number`)
  const odd = warnings.find((warning) => typeof warning !== 'string')
  if (odd !== undefined)
    throw new RunError(`step ${step} of ${stage} warns of ${shown(odd)}; a warning is a text`)
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}
