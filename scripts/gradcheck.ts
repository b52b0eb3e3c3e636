/**
 * Central finite differences in float64 of every id's loss at random points.
 *
 *   npm run gradcheck [-- POINTS [SEED]]      20 points an id, seed 1
 *
 * Prints the worst relative error of each id; fails above 1e-6, and when more than 1 in 50 numbers lay at a kink.
 */
import { checkGradient, type GradientReport } from './gradcheck/central-difference.ts'
import { drawBatch, gradientChecks } from './gradcheck/checks.ts'
import { seededRandom } from './gradcheck/random-batch.ts'

const limit = 1e-6

export function runGradientChecks(
  points: number,
  seed: number,
): { id: string; report: GradientReport; ok: boolean }[] {
  return gradientChecks.map(([id, check], index) => {
    const random = seededRandom(seed * 1000 + index)
    const report: GradientReport = { numbers: 0, kinks: 0, worst: 0 }
    for (let i = 0; i < points; i++) {
      const { numbers, kinks, worst } = checkGradient(check(drawBatch(random)))
      report.numbers += numbers
      report.kinks += kinks
      report.worst = Math.max(report.worst, worst)
    }
    return { id, report, ok: report.worst <= limit && report.kinks * 50 <= report.numbers }
  })
}

if (import.meta.main) {
  const [points, seed] = [process.argv[2] ?? '20', process.argv[3] ?? '1'].map(Number) as [number, number]
  if (!(Number.isInteger(points) && points > 0 && Number.isInteger(seed))) {
    console.error('usage: npm run gradcheck [-- POINTS [SEED]], both integers, POINTS at least 1')
    process.exit(2)
  }
  const results = runGradientChecks(points, seed)
  console.log(`${'id'.padEnd(30)}${'numbers'.padStart(10)}${'kinks'.padStart(8)}${'worst'.padStart(11)}`)
  for (const { id, report, ok } of results) {
    const cells = [String(report.numbers).padStart(10), String(report.kinks).padStart(8)]
    console.log(
      `${id.padEnd(30)}${cells.join('')}${report.worst.toExponential(1).padStart(11)}  ${ok ? 'ok' : 'FAILED'}`,
    )
  }
  process.exit(results.every(({ ok }) => ok) ? 0 : 1)
}
