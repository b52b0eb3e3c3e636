// Supervised fine-tuning: a tiny model learns to answer in a conversation of two turns.   node examples/sft.ts
import { encodeMessages, measureLoss, sampleAnswers, sft } from 'whetstone/trainers'
import { tinyModel } from './shared/tiny-model.ts'

const words = ['apple', 'bread', 'chair', 'door', 'egg', 'fish', 'glass', 'house']
const user = (content: string) => ({ role: 'user' as const, content })
const assistant = (content: string) => ({ role: 'assistant' as const, content })
/** The first turn gives a word; the second asks for it again, in capitals. */
const conversation = (word: string) => [user(`Remember ${word}.`), assistant('Yes.'), user('Shout it.')]
const examples = words.map((word) => ({ messages: [...conversation(word), assistant(word.toUpperCase())] }))

const model = await (await tinyModel()).trainable({ full: true })
const { examples: encoded } = encodeMessages(model.tokenizer, examples, { maxTokens: model.info.context })

for await (const report of sft({
  model,
  examples,
  optimizer: { learningRate: 0.005, warmupSteps: 5, schedule: 'linear' },
  batch: { examples: 8 },
  steps: Number(process.env.STEPS ?? 60),
  evaluate: { every: 20, measure: () => measureLoss(model, encoded) },
}))
  if (report.evaluation)
    console.log(`step ${report.step + 1}: ${report.evaluation.loss!.toFixed(3)} nats a token of the answers`)

const prompts = words.slice(0, 3).map((word) => ({ messages: conversation(word) }))
const answers = await sampleAnswers({
  model,
  prompts,
  count: 1,
  maxTokens: 12,
  temperature: 0,
  seedOf: () => 0,
})
for (const [index, [answer]] of answers.entries()) console.log(`${words[index]} -> ${answer!.text}`)
