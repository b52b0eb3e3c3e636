// Group relative policy optimisation, near a reference.   node examples/grpo.ts
import { createPolicy } from 'whetstone/rollouts'
import { grpo } from 'whetstone/trainers'
import { askOnce, halfRight, tasks } from './shared/half-right.ts'

const base = await halfRight()
const policy = createPolicy(await base.trainable({ full: true }), { maxTokens: 6 })

for await (const { step, metrics, seconds, warnings } of grpo({
  policy,
  tasks,
  rollout: askOnce,
  groupSize: 8,
  tasksPerStep: 6,
  reference: base,
  kl: { coefficient: 0.02 },
  optimizer: { learningRate: 0.001, schedule: 'linear' },
  steps: Number(process.env.STEPS ?? 20),
})) {
  const { reward, kl, zeroSpread } = metrics
  console.log(
    `step ${step + 1}: ${(100 * reward!).toFixed(0)} % right, KL ${kl?.toFixed(3)}, ` +
      `${(100 * zeroSpread!).toFixed(0)} % of the groups without spread, ${seconds.step!.toFixed(2)} s`,
  )
  for (const warning of warnings) console.log(`  ${warning}`)
}
