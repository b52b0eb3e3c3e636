import { Command } from 'commander'
import { digestProblem, runDigest, writeReport } from '../../runs/index.ts'
import { nonEmpty } from '../option-parsers.ts'
import { shortestPath } from '../shortest-path.ts'
import { writeLine } from '../write-line.ts'

export function reportCommand(): Command {
  return new Command('report')
    .description("Write a run's report.html again, also while it is running, and print its digest")
    .argument('<directory>', 'what --run of whetstone train named', nonEmpty)
    .action(async (directory: string) => {
      const digest = await runDigest(directory)
      await writeLine(`report  ${shortestPath(await writeReport(directory))}`)
      const problem = await digestProblem(directory)
      if (problem !== undefined) process.stderr.write(`warning: ${problem}\n`)
      await writeLine(`digest  ${digest}`)
    })
}
