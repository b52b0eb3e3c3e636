// A reward model that goes on learning from what the policy says now.   node examples/refresh-reward-model.ts
import { refreshRewardModel, scoreWith, tokensToScore } from 'whetstone/trainers'
import { halfRight, reversed, tasks } from './shared/half-right.ts'

const policy = await halfRight()
const model = await policy.trainable({ lora: { rank: 8 } }, 'value')
const ask = (content: string) => [{ role: 'user' as const, content }]
const right = (letters: string, answer: string) => Number(answer.trim() === reversed(letters))

for await (const { step, metrics } of refreshRewardModel({
  model,
  policy,
  prompts: tasks.map(({ task }) => ({ messages: ask(task) })),
  // By how much the first answer is better; equal ones are left out.
  judge: ({ prompt, answers: [first, second] }) => {
    const letters = String(prompt.messages[0]!.content)
    return right(letters, first) - right(letters, second)
  },
  promptsPerStep: 12,
  maxTokens: 6,
  optimizer: { learningRate: 0.01 },
  steps: Number(process.env.STEPS ?? 15),
})) {
  const { pairs, ties, accuracy } = metrics
  const ranked =
    accuracy === undefined ? 'nothing to learn' : `${(100 * accuracy).toFixed(0)} % ranked as judged`
  console.log(`step ${step + 1}: ${pairs} pairs, ${ties} ties, ${ranked}`)
}

for (const { task } of tasks) {
  const answers = [reversed(task), task].map((content) =>
    tokensToScore(model.tokenizer, { messages: [...ask(task), { role: 'assistant' as const, content }] }),
  )
  const [good, bad] = await scoreWith(model, answers)
  console.log(`${task}: ${good!.toFixed(2)} for ${reversed(task)}, ${bad!.toFixed(2)} for ${task}`)
}
