import { z } from 'zod'
import { DataError } from '../data/data-error.ts'
import { parseRow, readJsonLines } from '../data/json-lines.ts'
import type { Task } from '../data/tasks/task.ts'

const sampleRowSchema = z.object({ task_id: z.string(), completion: z.string() })

/** What a model wrote for a task. A completion continues the prompt of a `completion` task, else it is the program. */
export interface AnswerSample {
  task: Task
  completion: string
}

/**
 * The samples of a JSONL file in HumanEval's form (`task_id`, `completion`), in the file's order.
 * Throws a DataError that names path and line for a wrong row or an unknown task, and for a file without samples.
 */
export async function readSamples(path: string, tasks: Task[]): Promise<AnswerSample[]> {
  const byId = new Map(tasks.map((task) => [task.id, task]))
  const samples: AnswerSample[] = []
  for await (const line of readJsonLines(path)) {
    const row = parseRow(sampleRowSchema, line, 'a sample (task_id, completion)')
    const task = byId.get(row.task_id)
    if (task === undefined) {
      throw new DataError(
        `${line.where}: no task "${row.task_id}"; the tasks are ${tasks[0]!.id} to ${tasks.at(-1)!.id}`,
      )
    }
    samples.push({ task, completion: row.completion })
  }
  if (samples.length === 0) throw new DataError(`${path}: no samples in it`)
  return samples
}
