import { Command, Option } from 'commander'
import type { Split } from '../../data/generator/chain.ts'
import { generateTasks } from '../../data/generator/generate-tasks.ts'
import { writeTasks } from '../../data/tasks/read-tasks.ts'
import { integer, list, nonEmpty } from '../option-parsers.ts'
import { refuseUnwritable } from '../output-files.ts'
import { writeLine } from '../write-line.ts'

interface TasksOptions {
  count: number
  seed: number
  split: Split
  language?: 'javascript' | 'python'
  levels?: number[]
}

export function tasksCommand(): Command {
  return new Command('tasks')
    .description('Generate coding tasks with hidden tests, as JSONL')
    .argument('<file>', 'the file to write', nonEmpty)
    .addOption(
      new Option(
        '--split <split>',
        'whose combinations of operations to use; no two splits share one that matters',
      )
        .choices(['train', 'validation', 'held-out'])
        .default('train'),
    )
    .option('--count <number>', 'tasks', integer({ minimum: 1, maximum: 1_000_000 }), 1000)
    .option('--seed <integer>', 'the same seed gives the same tasks', integer({ minimum: 0 }), 0)
    .addOption(new Option('--language <name>', 'instead of both').choices(['javascript', 'python']))
    .option(
      '--levels <list>',
      'of difficulty, as 1,2 (default: 1 to 5)',
      list(integer({ minimum: 1, maximum: 5 })),
    )
    .action(async (file: string, { language, levels, ...options }: TasksOptions) => {
      await refuseUnwritable(file)
      const tasks = generateTasks({
        ...options,
        ...(language && { languages: [language] }),
        ...(levels && { levels }),
      })
      await writeTasks(file, tasks)
      await writeLine(`${tasks.length} tasks in ${file}`)
    })
}
