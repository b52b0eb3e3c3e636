// REINFORCE leave-one-out on an adapter, with a reward of several parts.   node examples/rloo.ts
import { composeRewards, lengthPenalty, rolloutReward, rule } from 'whetstone/rewards'
import { createPolicy } from 'whetstone/rollouts'
import { rloo } from 'whetstone/trainers'
import { askOnce, halfRight, tasks } from './shared/half-right.ts'

const base = await halfRight()
const policy = createPolicy(await base.trainable({ lora: { rank: 8 } }), { maxTokens: 6 })
const rewards = composeRewards<string>([
  rolloutReward(),
  rule('format', /^[a-z]{2}$/, { weight: 0.2 }),
  lengthPenalty('linear', { freeLength: 3, perToken: 0.1 }),
])

for await (const { step, metrics } of rloo({
  policy,
  tasks,
  rollout: askOnce,
  rewards,
  reference: base,
  // In the reward: what a nat of KL to the base costs.
  kl: { coefficient: 0.02 },
  optimizer: { learningRate: 0.005, schedule: 'linear' },
  steps: Number(process.env.STEPS ?? 20),
})) {
  const parts = Object.entries(metrics).filter(([name]) => name.startsWith('reward/'))
  console.log(
    `step ${step + 1}:`,
    parts.map(([name, value]) => `${name.slice(7)} ${value.toFixed(2)}`).join(', '),
  )
}
