import { generateText } from 'ai'
import type { Model } from 'whetstone/engine'
import type { RolloutContext } from 'whetstone/rollouts'
import { sft } from 'whetstone/trainers'
import { tinyModel } from './tiny-model.ts'

/** Two letters; the right answer is their reverse. */
export const tasks = ['ab', 'cd', 'ef', 'gh', 'ij', 'kl'].map((letters) => ({ id: letters, task: letters }))

export const reversed = (letters: string) => letters[1]! + letters[0]!

/** A model that reverses the letters half the time and repeats them the other half. */
export async function halfRight(steps = 40): Promise<Model> {
  const model = await (await tinyModel(1)).trainable({ full: true })
  const examples = tasks.flatMap(({ task }) =>
    [task, reversed(task)].map((answer) => ({
      messages: [
        { role: 'user' as const, content: task },
        { role: 'assistant' as const, content: answer },
      ],
    })),
  )
  for await (const _ of sft({
    model,
    examples,
    optimizer: { learningRate: 0.01 },
    batch: { examples: 12 },
    steps,
  }));
  return model.snapshot()
}

/** A rollout as any AI SDK program: asks the model, and is worth 1 where the answer is right. */
export async function askOnce({ model, task, signal }: RolloutContext<string>): Promise<number> {
  const { text } = await generateText({ model, prompt: task, abortSignal: signal, maxRetries: 0 })
  return text === reversed(task) ? 1 : 0
}
