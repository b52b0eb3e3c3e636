import type { Task } from '../data/index.ts'

/** Coding tasks in the form in which rollouts take them. */
export function rolloutTasks(tasks: readonly Task[]): { id: string; task: Task }[] {
  return tasks.map((task) => ({ id: task.id, task }))
}
