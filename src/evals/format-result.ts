import type { Comparison } from './compare-results.ts'
import type { EvalResult } from './result.ts'

/** A result as text for people: tasks, pass@k with intervals, verdicts by reason, and quality where it was measured. */
export function formatResult(result: EvalResult): string {
  const lines: string[] = []
  if (result.tasks) {
    const { name, attempted, total } = result.tasks
    lines.push(`${name}: ${attempted} of ${total} tasks, ${result.verdicts.length} samples`)
  }
  const ks = Object.keys(result.passAtK).map(Number)
  for (const k of ks.filter((k) => isShown(k, ks))) {
    const interval = result.passAtKIntervals?.[k]
    const range = interval ? `  95 % interval ${percent(interval[0])} to ${percent(interval[1])}` : ''
    lines.push(`pass@${String(k).padEnd(4)} ${percent(result.passAtK[k]!).padStart(7)}${range}`)
  }
  for (const [reason, count] of Object.entries(result.counts ?? {}))
    lines.push(`${reason.padEnd(10)} ${count}`)
  if (result.quality) {
    lines.push('quality (no part of pass@k):')
    for (const [name, value] of Object.entries(result.quality))
      lines.push(`  ${name}: ${formatMeasure(value)}`)
  }
  return lines.join('\n')
}

/** A comparison as text for people. */
export function formatComparison(comparison: Comparison, names: [string, string]): string {
  const { tasks, first, second, difference, interval, pValue, better, worse } = comparison
  const verdict = {
    'no difference shown': 'no difference shown',
    'first is better': `${names[0]} is better`,
    'second is better': `${names[1]} is better`,
  }[comparison.conclusion]
  const points = (value: number) => `${value >= 0 ? '+' : ''}${(100 * value).toFixed(1)}`
  const lines = [
    `A  ${percent(first).padStart(7)}  ${names[0]}`,
    `B  ${percent(second).padStart(7)}  ${names[1]}`,
    `B - A  ${points(difference)} points, 95 % interval ${points(interval[0])} to ${points(interval[1])}, over ${tasks} tasks (B better on ${better}, worse on ${worse})`,
    `paired sign-flip test: p = ${pValue < 1e-4 ? pValue.toExponential(1) : pValue.toFixed(4)}`,
    verdict,
    ...comparison.tasksNeeded.map(
      (plan) => `to see ${points(plan.difference)} points with a chance of 80 %: ${plan.tasks} tasks`,
    ),
  ]
  for (const [name, ids] of [
    [names[0], comparison.onlyInFirst],
    [names[1], comparison.onlyInSecond],
  ] as const) {
    if (ids.length > 0)
      lines.push(
        `left out, only in ${name}: ${ids.length} tasks (${ids.slice(0, 3).join(', ')}${ids.length > 3 ? ', ...' : ''})`,
      )
  }
  return lines.join('\n')
}

/** 1, 2, 5, 10, 20, 50, ... and the largest; all of them when they are few. */
function isShown(k: number, ks: number[]): boolean {
  return ks.length <= 6 || /^[125]0*$/.test(String(k)) || k === ks.at(-1)
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`
}

function formatMeasure(value: unknown): string {
  return typeof value === 'number' ? String(Math.round(value * 100) / 100) : JSON.stringify(value)
}
