import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSandbox, type Sandbox } from '../../sandbox/index.ts'
import { generateTasks } from '../generator/generate-tasks.ts'
import type { Task } from '../tasks/task.ts'
import { judgeAnswer } from './judge-answer.ts'

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await createSandbox({ workers: 2 })
})
afterAll(() => sandbox.close())

const task = generateTasks({ seed: 3, count: 1, split: 'train', languages: ['javascript'] })[0] as Task
const total = task.hiddenTests.length
const fenced = (code: string) => `Here it is.\n\`\`\`js\n${code}\n\`\`\`\nIt works.`

test('the reference in a message passes with the whole share', async () => {
  expect(await judgeAnswer(sandbox, task, fenced(task.reference as string))).toMatchObject({
    passed: true,
    reason: 'passed',
    testsPassed: total,
    testsTotal: total,
    share: 1,
    program: `${task.reference}\n`,
  })
})

test('an answer that knows some of the tests gets their share and no more', async () => {
  const [known, ...others] = task.hiddenTests.map((text) =>
    /^assert\.deepEqual\(\w+\((.*)\), (.*)\)$/s.exec(text),
  )
  const same = others.filter((other) => other?.[2] === known?.[2]).length + 1
  const code = `const ${task.entryPoint} = () => (${known?.[2]})`
  const judged = await judgeAnswer(sandbox, task, fenced(code))
  expect(judged).toMatchObject({ passed: false, reason: 'failed', testsPassed: same, share: same / total })
  expect(judged.share).toBeLessThan(1)
})

test('a message without code is no answer, and a task that cannot be judged is an error', async () => {
  expect(await judgeAnswer(sandbox, task, 'I cannot do that.')).toMatchObject({
    reason: 'no-answer',
    share: 0,
    testsTotal: total,
    program: null,
  })
  const untested = { ...task, hiddenTests: [] }
  await expect(judgeAnswer(sandbox, untested, fenced('x'))).rejects.toThrow(
    `${task.id} cannot be judged: tests is empty`,
  )
})
