// Proximal policy optimisation: policy, reference, reward and critic, adapters on one base.   node examples/ppo.ts
import { createPolicy } from 'whetstone/rollouts'
import { ppo } from 'whetstone/trainers'
import { askOnce, halfRight, tasks } from './shared/half-right.ts'

const base = await halfRight()
const policy = createPolicy(await base.trainable({ lora: { rank: 8 } }), { maxTokens: 6 })
const critic = await base.trainable({ lora: { rank: 8, seed: 1 } }, 'value')

for await (const { step, metrics } of ppo({
  policy,
  critic,
  // The rollout's own reward; a reward model is `rewards: composeRewards([scoredBy('model', ...)])`.
  rollout: askOnce,
  tasks,
  reference: base,
  kl: { coefficient: 0.01 },
  epochs: 2,
  minibatches: 2,
  optimizer: { learningRate: 0.003, schedule: 'linear' },
  criticOptimizer: { learningRate: 0.003 },
  steps: Number(process.env.STEPS ?? 20),
})) {
  const { reward, kl, valueLoss, clipFraction } = metrics
  console.log(
    `step ${step + 1}: ${(100 * reward!).toFixed(0)} % right, KL ${kl?.toFixed(3)}, ` +
      `value loss ${valueLoss?.toFixed(3)}, clipped ${(100 * (clipFraction ?? 0)).toFixed(1)} %`,
  )
}
