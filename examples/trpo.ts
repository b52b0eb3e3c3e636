// Trust region policy optimisation: natural gradients, no step beyond its KL.   node examples/trpo.ts
import { createPolicy } from 'whetstone/rollouts'
import { trpo } from 'whetstone/trainers'
import { askOnce, halfRight, tasks } from './shared/half-right.ts'

const base = await halfRight()
const policy = createPolicy(await base.trainable({ full: true }), { maxTokens: 6 })

for await (const { step, metrics } of trpo({
  policy,
  tasks,
  rollout: askOnce,
  groupSize: 16,
  tasksPerStep: 6,
  delta: 0.05,
  cgIterations: 5,
  steps: Number(process.env.STEPS ?? 12),
})) {
  const { reward, stepKl, lossChange, acceptedStep } = metrics
  console.log(
    `step ${step + 1}: ${(100 * reward!).toFixed(0)} % right; KL of the step ${stepKl?.toFixed(4)}, ` +
      `surrogate up by ${(0 - (lossChange ?? 0)).toFixed(3)}, trial ${acceptedStep}`,
  )
}
