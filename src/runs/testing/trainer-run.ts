/**
 * The program that the kill test kills: `node trainer-run.ts DIRECTORY STEPS STEPS`, fine-tuning and then GRPO on rollouts of two turns. Goes on
 * with whatever is in the directory, writes a dot a step and prints the digest.
 */
import { generateText } from 'ai'
import { createPolicy, type RolloutContext } from '../../rollouts/index.ts'
import { policyGradient } from '../../trainers/policy-gradient.ts'
import { sft } from '../../trainers/sft.ts'
import { asciiShare, asciiTasks } from '../../trainers/testing/ascii-task.ts'
import { trainableBytes } from '../../trainers/testing/byte-model.ts'
import { openRun } from '../index.ts'

const [directory, ...steps] = process.argv.slice(2)
const [sftSteps, grpoSteps] = steps.map(Number) as [number, number]
const run = await openRun(directory as string, {
  name: 'trainers',
  seed: 7,
  resume: true,
  checkpointEvery: { steps: 2 },
  onReport: () => process.stdout.write('.'),
})
const model = await trainableBytes()
const policy = createPolicy(model, { maxTokens: 6 })
const examples = ['p', 'q', 'r', 's'].map((word) => ({
  messages: [
    { role: 'user' as const, content: word },
    { role: 'assistant' as const, content: word.toUpperCase().repeat(4) },
  ],
}))

for await (const _ of sft({
  model,
  examples,
  run,
  steps: sftSteps,
  batch: { examples: 2 },
  optimizer: { learningRate: 0.003 },
}));
await run.once('answer', async () => {
  const [sample] = await model.sample({ prompt: [70], maxTokens: 4, seed: run.seed })
  return [...sample!.tokens]
})
const grpo = policyGradient({
  algorithm: 'grpo',
  policy,
  tasks: asciiTasks,
  rollout: conversation,
  groupSize: 3,
  tasksPerStep: 2,
  steps: grpoSteps,
  kl: { coefficient: 0.01 },
  optimizer: { learningRate: 0.01 },
  evaluate: {
    every: 3,
    measure: async () => ({ norm: (await model.parameter('model.norm.weight'))[0]! }),
    best: { metric: 'norm', goal: 'maximum' },
  },
  run,
})
for await (const _ of grpo);
console.log(`\n${await run.finish()}`)
await run.close()

/** Two turns; how long each takes is a matter of chance, and must be of no consequence. */
async function conversation({ model, task, signal }: RolloutContext<string>): Promise<number> {
  const settings = { model, abortSignal: signal, maxRetries: 0 }
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 3))
  const first = await generateText({ ...settings, prompt: task })
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 3))
  const messages = [
    { role: 'user' as const, content: task },
    ...first.response.messages,
    { role: 'user' as const, content: 'and?' },
  ]
  const second = await generateText({ ...settings, messages })
  return (asciiShare(first.text) + asciiShare(second.text)) / 2
}
