import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { generateTasks } from '../data/index.ts'
import { createSandbox, type Sandbox } from '../sandbox/index.ts'
import { solutionMessage } from './conversation-of.ts'
import { mendingExamples } from './mending-examples.ts'
import { task } from './testing/play.ts'

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await createSandbox()
})
afterAll(() => sandbox.close())

describe('mending examples', () => {
  it("show a related task's solution under this name, what the tests say of it, and the right one", async () => {
    const tasks = generateTasks({
      seed: 2,
      count: 30,
      split: 'train',
      languages: ['javascript'],
      inputs: ['integers'],
      levels: [2],
    })
    const examples = await mendingExamples(sandbox, tasks)
    expect(examples.length).toBeGreaterThan(20)
    for (const { messages, tools } of examples) {
      expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant'])
      expect(tools).toMatchObject([{ name: 'run_tests' }])
      const shown = tasks.find(({ prompt }) => messages[0]!.content.includes(prompt))!
      expect(messages[1]!.content).toContain(`function ${shown.entryPoint}(`)
      expect(messages[1]!.content).not.toBe(messages[3]!.content)
      expect(messages[2]!.content).toMatch(/^The tests say: (failed|threw)/)
      expect(messages[3]!.content).toBe(solutionMessage(shown))
    }
  })

  it("leave out a task that shares no operation with another, and one whose neighbour's solution is right", async () => {
    expect(await mendingExamples(sandbox, [task])).toEqual([])
    expect(await mendingExamples(sandbox, [task, { ...task, id: 'again' }])).toEqual([])
  })
})
