import { Command } from 'commander'
import { digestedFiles, digestOf, digestProblem, writeReport } from '../../runs/index.ts'
import { nonEmpty } from '../option-parsers.ts'
import { shortestPath } from '../shortest-path.ts'
import { writeLine } from '../write-line.ts'

export function reportCommand(): Command {
  return new Command('report')
    .description("Write a run's report.html again, also while it is running, and print its digest")
    .argument('<directory>', 'what --run of whetstone train named', nonEmpty)
    .action(async (directory: string) => {
      await writeLine(`report  ${shortestPath(await writeReport(directory))}`)
      const files = await digestedFiles(directory)
      const problem = await digestProblem(directory, files)
      if (problem !== undefined) process.stderr.write(`warning: ${problem}\n`)
      await writeLine(`digest  ${digestOf(files)}`)
    })
}
