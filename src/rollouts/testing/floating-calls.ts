/**
 * Rollouts that await nothing, in a process of their own, which any of them would end. Prints the reasons of
 * their failures, by task.
 *
 *   node src/rollouts/testing/floating-calls.ts [elsewhere]     elsewhere: and then a rejection outside of rollouts
 */
import { setTimeout as wait } from 'node:timers/promises'
import { generateText } from 'ai'
import { collectGroups } from '../collect-groups.ts'
import { createPolicy } from '../policy.ts'
import type { Rollout } from '../types.ts'
import { chatTokenizer } from './chat-tokenizers.ts'
import { scriptedModel } from './scripted-model.ts'

const rollouts: Record<string, Rollout<string>> = {
  async call({ model }) {
    generateText({ model, prompt: 'x' })
    return 1
  },
  async tool() {
    Promise.reject(new Error('the tool broke'))
    await wait(1)
    return 1
  },
  async left({ model }) {
    generateText({ model, prompt: 'x' })
    await wait(20)
    generateText({ model, prompt: 'y' })
    return 1
  },
  async later() {
    wait(10).then(() => Promise.reject(new Error('nobody hears')))
    return 1
  },
}

const policy = createPolicy(
  scriptedModel(await chatTokenizer('hermes'), async () => {
    await wait(10)
    return 'hi'
  }),
)
const reasons: Record<string, string[]> = {}
for (const [id, rollout] of Object.entries(rollouts)) {
  const { failures } = await collectGroups({
    policy,
    tasks: [{ id, task: id }],
    rollout,
    groupSize: 1,
    seed: 1,
    step: 0,
    retries: 0,
    timeoutMs: id === 'left' ? 5 : 10_000,
  })
  reasons[id] = failures.map(({ reason }) => reason)
}
// Until all that floats has been rejected.
await wait(40)
if (process.argv[2] === 'elsewhere') Promise.reject(new Error('no part of a rollout'))
await wait(1)
console.log(JSON.stringify(reasons))
