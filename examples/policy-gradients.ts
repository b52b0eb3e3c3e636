// One loop, nine policy gradients, by their names.   node examples/policy-gradients.ts
import { createPolicy, type Rollout } from 'whetstone/rollouts'
import { type PolicyGradientId, policyGradient } from 'whetstone/trainers'
import { askOnce, halfRight, tasks } from './shared/half-right.ts'

/** By name, with what an algorithm alone asks for. Each is a function of its own too: `reinforce`, `dapo`, `drGrpo`, ... */
const algorithms = {
  reinforce: {},
  rloo: {},
  'reinforce-plus-plus': {},
  grpo: {},
  'dr-grpo': { loss: { constant: 6 } },
  dapo: {},
  cispo: {},
  'gspo-sequence': {},
  'gdpo-decoupled': { partWeights: { right: 1 } },
}
const rollout: Rollout<string> = async (context) => {
  const right = await askOnce(context)
  return { reward: right, parts: { right } }
}

const base = await halfRight()
for (const [algorithm, own] of Object.entries(algorithms)) {
  const policy = createPolicy(await base.trainable({ lora: { rank: 8 } }), { maxTokens: 6 })
  const right: string[] = []
  for await (const { metrics } of policyGradient({
    algorithm: algorithm as PolicyGradientId,
    policy,
    tasks,
    rollout,
    tasksPerStep: 6,
    optimizer: { learningRate: 0.005, schedule: 'linear' },
    steps: Number(process.env.STEPS ?? 12),
    ...own,
  }))
    right.push((100 * metrics.reward!).toFixed(0))
  console.log(`${algorithm}: ${right.join(', ')} % right`)
}
