import { DataError } from '../data-error.ts'
import { type JsonLine, parseRow, readJsonLines, writeJsonLines } from '../json-lines.ts'
import { humanEvalRowSchema, humanEvalTask } from './human-eval.ts'
import { mbppRowSchema, mbppTask } from './mbpp.ts'
import { type Task, taskSchema } from './task.ts'

/**
 * The tasks of a JSONL file (gzipped or not): in this project's form, HumanEval's or MBPP's, told apart by their fields
 * row by row. Throws a DataError that names path and line for a wrong row, a repeated id, or a file without tasks.
 */
export async function readTasks(path: string): Promise<Task[]> {
  const tasks = new Map<string, Task>()
  for await (const line of readJsonLines(path)) {
    const task = taskOfLine(line)
    if (tasks.has(task.id))
      throw new DataError(`${line.where}: task id "${task.id}" was used before; ids must differ`)
    tasks.set(task.id, task)
  }
  if (tasks.size === 0) throw new DataError(`${path}: no tasks in it`)
  return [...tasks.values()]
}

/** Writes tasks in this project's form, one a line, replacing `path` in one step. */
export async function writeTasks(path: string, tasks: Iterable<Task>): Promise<void> {
  await writeJsonLines(
    path,
    Array.from(tasks, (task) => taskSchema.parse(task)),
  )
}

function taskOfLine(line: JsonLine): Task {
  const fields = typeof line.value === 'object' && line.value !== null ? line.value : {}
  if ('canonical_solution' in fields)
    return humanEvalTask(parseRow(humanEvalRowSchema, line, "a row in HumanEval's form"))
  if ('test_list' in fields) return mbppTask(parseRow(mbppRowSchema, line, "a row in MBPP's form"))
  return parseRow(taskSchema, line, 'a task')
}
