import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSandbox, type Sandbox } from '../sandbox/index.ts'
import { answerRollout } from './answer-rollout.ts'
import { play, right, wrong } from './testing/play.ts'

let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await createSandbox()
})
afterAll(() => sandbox.close())

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
