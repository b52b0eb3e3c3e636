import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { generateTasks, type Task } from '../data/index.ts'
import { collectGroups, createPolicy, type Rollout } from '../rollouts/index.ts'
import { scriptedModel } from '../rollouts/testing/scripted-model.ts'
import { createSandbox, type Sandbox } from '../sandbox/index.ts'
import { answerRollout } from './answer-rollout.ts'
import { solutionMessage } from './conversation-of.ts'
import { mendingExamples } from './mending-examples.ts'
import { repairRollout } from './repair-rollout.ts'
import { runTestsCall } from './run-tests-tool.ts'
import { tinyTokenizer } from './tiny-code/tiny-model.ts'

const [task] = generateTasks({
  seed: 1,
  count: 1,
  split: 'train',
  languages: ['javascript'],
  levels: [2],
}) as [Task]
const right = solutionMessage(task)
const wrong = `\`\`\`javascript\nfunction ${task.entryPoint}() {\n  return null\n}\n\`\`\``

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await createSandbox()
})
afterAll(() => sandbox.close())

/** One rollout of a model that gives these answers in turn, with the prompts it was given. */
async function play(rollout: Rollout<Task>, answers: string[]) {
  const prompts: string[] = []
  const model = scriptedModel(await tinyTokenizer([task.prompt, right]), (prompt) => {
    prompts.push(prompt)
    return answers[prompts.length - 1] ?? 'no more answers were expected'
  })
  const policy = createPolicy(model, { maxTokens: 1000 })
  const collected = await collectGroups({
    policy,
    tasks: [{ id: task.id, task }],
    rollout,
    groupSize: 1,
    seed: 1,
    step: 0,
    onFailure: 'throw',
  })
  return { prompts, trajectory: collected.groups[0]!.trajectories[0]! }
}

describe('the repair rollout', () => {
  it('shows the caller of the tests which one failed and rewards the mended answer', async () => {
    const { prompts, trajectory } = await play(repairRollout(sandbox, { maxTokens: 1000 }), [
      wrong + runTestsCall,
      right,
    ])
    expect(trajectory.parts).toEqual({ passed: 1, tests: 1, first: 0 })
    expect(trajectory.reward).toBe(1)
    expect(trajectory.prefixBreaks).toBe(0)
    expect(prompts).toHaveLength(2)
    expect(prompts[1]!.slice(prompts[0]!.length)).toContain('failed: ')
  })

  it.each([
    ['a right answer', right + runTestsCall, 1],
    ['an answer that calls no tests', wrong, 0],
    ['a call of another tool', `${wrong}<tool_call>\n{"name": "rm", "arguments": {}}\n</tool_call>`, 0],
    ['a call that is no JSON', `${wrong}<tool_call>\n{"name": "run_te`, 0],
  ])('asks no second time after %s', async (_, answer, passed) => {
    const { prompts, trajectory } = await play(repairRollout(sandbox, { maxTokens: 1000 }), [answer])
    expect(trajectory.parts).toMatchObject({ passed, first: passed })
    expect(prompts).toHaveLength(1)
  })

  it('answers each of several calls', async () => {
    const twice = wrong + runTestsCall + runTestsCall
    const { trajectory } = await play(repairRollout(sandbox, { maxTokens: 1000 }), [twice, right])
    expect(trajectory.reward).toBe(1)
    expect(trajectory.calls[1]!.messages.map(({ role }) => role)).toEqual(['tool', 'tool'])
  })

  it('rewards nothing for an answer that stays wrong', async () => {
    const { trajectory } = await play(repairRollout(sandbox, { maxTokens: 1000 }), [
      wrong + runTestsCall,
      wrong + runTestsCall,
    ])
    expect(trajectory.reward).toBe(0)
    expect(trajectory.calls).toHaveLength(2)
  })
})

describe('the answer rollout', () => {
  it('is worth 1 where all hidden tests pass, else 0', async () => {
    const rollout = answerRollout(sandbox, { maxTokens: 1000 })
    expect((await play(rollout, [right])).trajectory).toMatchObject({
      reward: 1,
      parts: { passed: 1, tests: 1 },
    })
    const { trajectory } = await play(rollout, [wrong])
    expect(trajectory).toMatchObject({ reward: 0, parts: { passed: 0 } })
    expect(trajectory.parts.tests).toBeLessThan(1)
  })
})

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
