import type { Row } from './engine-suite.ts'

const header = ['figure', 'ours', 'peer', "peer's", 'ratio', 'reach', 'share of limit', "peer's share"]
const percent = (share: number | null) => (share === null ? '' : `${(100 * share).toFixed(0)} %`)

function amount(value: number, unit: Row['unit']): string {
  return unit === 'bytes' ? `${(value / 1e9).toFixed(2)} GB` : `${value.toFixed(value < 100 ? 1 : 0)} tok/s`
}

/** A Markdown table, a row a comparison; `ratio` above 1 is in our favour for every unit. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.figure,
    amount(row.ours, row.unit),
    row.peer,
    amount(row.theirs, row.unit),
    `${row.ratio.toFixed(2)} x`,
    [
      row.reach === null ? '' : `${row.reach} x`,
      row.shareReach === null ? '' : `share ${percent(row.shareReach)}`,
    ]
      .filter((part) => part !== '')
      .join(', '),
    percent(row.shareOfLimit),
    percent(row.peerShareOfLimit),
  ])
  const widths = header.map((title, c) => Math.max(title.length, ...cells.map((row) => row[c]!.length)))
  const line = (row: readonly string[]) => `| ${row.map((cell, c) => cell.padEnd(widths[c]!)).join(' | ')} |`
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)].join('\n')
}
