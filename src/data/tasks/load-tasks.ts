import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { DataError } from '../data-error.ts'
import { locateHumanEval } from './human-eval-file.ts'
import { readTasks } from './read-tasks.ts'
import type { Task } from './task.ts'

/** Tasks and what tells them apart from other tasks of the same name: the SHA-256 of their content. */
export interface TaskSet {
  name: string
  tasks: Task[]
  sha256: string
}

/** The tasks of a benchmark's name (`humaneval`) or of a JSONL file in any form that `readTasks` knows. */
export async function loadTasks(name: string): Promise<TaskSet> {
  const path = name === 'humaneval' ? await locateHumanEval() : name
  if (path === name && !existsSync(path)) {
    throw new DataError(`no tasks "${name}": it is neither humaneval nor a file`)
  }
  const tasks = await readTasks(path)
  return { name, tasks, sha256: createHash('sha256').update(JSON.stringify(tasks)).digest('hex') }
}
