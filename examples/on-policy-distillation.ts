// On-policy distillation: the student writes, the teacher judges every token.   node examples/on-policy-distillation.ts
import { createPolicy } from 'whetstone/rollouts'
import { grpo, onPolicyDistillation } from 'whetstone/trainers'
import { askOnce, halfRight, tasks } from './shared/half-right.ts'

const base = await halfRight()
const optimizer = { learningRate: 0.001, schedule: 'linear' } as const
const steps = Number(process.env.STEPS ?? 20)
const common = { tasks, rollout: askOnce, tasksPerStep: 6, optimizer, steps }

const taught = createPolicy(await base.trainable({ full: true }), { maxTokens: 6 })
for await (const _ of grpo({ ...common, policy: taught }));
const teacher = await taught.model.snapshot()

const policy = createPolicy(await base.trainable({ full: true }), { maxTokens: 6 })
for await (const { step, metrics } of onPolicyDistillation({ ...common, policy, teacher })) {
  const { reward, reverseKl } = metrics
  console.log(
    `step ${step + 1}: ${reverseKl!.toFixed(3)} nats a token from the teacher, ${(100 * reward!).toFixed(0)} % right`,
  )
}
