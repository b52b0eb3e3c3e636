import { Command } from 'commander'
import { compareResults } from '../../evals/compare-results.ts'
import { formatComparison } from '../../evals/format-result.ts'
import { parseEvalResult } from '../../evals/result.ts'
import { readInputText } from '../input-files.ts'
import { nonEmpty, number } from '../option-parsers.ts'
import { writeLine } from '../write-line.ts'

interface CompareOptions {
  difference?: number
  json?: true
}

export function compareCommand(): Command {
  return new Command('compare')
    .description('Compare two results of "whetstone eval --json" on the same tasks')
    .argument('<A>', 'a result file', nonEmpty)
    .argument('<B>', 'another', nonEmpty)
    .option(
      '--difference <rate>',
      'say how many tasks are needed to see this difference of the pass rate, as 0.05',
      number({ minimum: 0, above: true, maximum: 1 }),
    )
    .option('--json', 'print one JSON object')
    .action(async (a: string, b: string, options: CompareOptions) => {
      const comparison = compareResults(await readResult(a), await readResult(b), options.difference)
      await writeLine(options.json ? JSON.stringify(comparison) : formatComparison(comparison, [a, b]))
    })
}

async function readResult(path: string) {
  return parseEvalResult(await readInputText(path), path)
}
