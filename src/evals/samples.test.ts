import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { taskSchema } from '../data/tasks/task.ts'
import { readSamples } from './samples.ts'

let path: string
beforeAll(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'whetstone-samples-')), 'samples.jsonl')
})
afterAll(() => rm(join(path, '..'), { recursive: true }))

const tasks = ['a', 'b'].map((id) =>
  taskSchema.parse({
    id,
    prompt: 'p',
    language: 'python',
    entryPoint: 'f',
    visibleTests: [],
    hiddenTests: ['assert f()'],
  }),
)

test('samples come in the order of the file, several of a task and none of another included', async () => {
  await writeFile(path, '{"task_id":"b","completion":"1"}\n{"task_id":"b","completion":"2","model":"x"}\n')
  expect((await readSamples(path, tasks)).map(({ task, completion }) => [task.id, completion])).toEqual([
    ['b', '1'],
    ['b', '2'],
  ])
})
test('an unknown task, a missing completion and an empty file are errors that name the place', async () => {
  await writeFile(path, '{"task_id":"a","completion":"1"}\n{"task_id":"c","completion":"1"}\n')
  await expect(readSamples(path, tasks)).rejects.toThrow(
    /samples\.jsonl:2: no task "c"; the tasks are a to b/,
  )
  await writeFile(path, '{"task_id":"a"}\n')
  await expect(readSamples(path, tasks)).rejects.toThrow(
    /samples\.jsonl:1: not a sample .*field "completion"/,
  )
  await writeFile(path, '\n')
  await expect(readSamples(path, tasks)).rejects.toThrow(/no samples/)
})
