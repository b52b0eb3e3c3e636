// Distillation: of a teacher that is right half the time, a student learns only what was right.   node examples/distill.ts
import { type Conversation, distill, sampleAnswers, sft } from 'whetstone/trainers'
import { tinyModel } from './shared/tiny-model.ts'

const steps = Number(process.env.STEPS ?? 60)
interface Question extends Conversation {
  right: string
}
const prompts: Question[] = ['ab', 'cd', 'ef', 'gh', 'ij', 'kl'].map((letters) => ({
  messages: [{ role: 'user', content: letters }],
  right: letters[1]! + letters[0]!,
}))

/** Reverses two letters or repeats them: its examples do either. */
const teacher = await (await tinyModel(1)).trainable({ full: true })
const examples = prompts.flatMap(({ messages, right }) =>
  [right, right[1]! + right[0]!].map((content) => ({
    messages: [...messages, { role: 'assistant' as const, content }],
  })),
)
const optimizer = { learningRate: 0.01 }
for await (const _ of sft({ model: teacher, examples, optimizer, batch: { examples: 12 }, steps: 60 }));

const model = await (await teacher.snapshot()).trainable({ full: true })
const judge = ({ prompt, text }: { prompt: Question; text: string }) => text === prompt.right
const options = { model, teacher, prompts, judge, samplesPerPrompt: 8, maxTokens: 6 }
for await (const { step, rollouts } of distill({ ...options, optimizer, steps }))
  if (step === 0) console.log(`learns from ${rollouts?.length} accepted answers, such as`, rollouts?.[0])

for (const [name, by] of Object.entries({ teacher, student: model })) {
  const answers = await sampleAnswers({ model: by, prompts, count: 8, maxTokens: 6, seedOf: Number })
  const right = answers.flatMap((own, i) => own.filter(({ text }) => text === prompts[i]!.right)).length
  console.log(`${name}: ${right} of ${8 * prompts.length} answers right`)
}
