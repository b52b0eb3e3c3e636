import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSandbox, type Sandbox } from '../sandbox/index.ts'
import { repairRollout } from './repair-rollout.ts'
import { runTestsCall } from './run-tests-tool.ts'
import { play, right, wrong } from './testing/play.ts'

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await createSandbox()
})
afterAll(() => sandbox.close())

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
