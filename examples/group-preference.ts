// Preferences within the policy's own groups, in three forms.   node examples/group-preference.ts
import { createPolicy } from 'whetstone/rollouts'
import { groupPreference } from 'whetstone/trainers'
import { askOnce, halfRight, tasks } from './shared/half-right.ts'

const base = await halfRight()
for (const algorithm of ['gspo-pairs', 'gdpo-contrast', 'gdpo-listwise'] as const) {
  const policy = createPolicy(await base.trainable({ full: true }), { maxTokens: 6 })
  const right: string[] = []
  for await (const { metrics } of groupPreference({
    algorithm,
    policy,
    tasks,
    rollout: askOnce,
    groupSize: 8,
    reference: base,
    loss: { beta: 0.1 },
    optimizer: { learningRate: 0.001, schedule: 'linear' },
    steps: Number(process.env.STEPS ?? 20),
  }))
    right.push(`${(100 * metrics.reward!).toFixed(0)} %`)
  console.log(`${algorithm}: right ${right.join(' ')}`)
}
