import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { TrainableModel } from '../../engine/index.ts'
import { createPolicy, type Policy, type RolloutContext } from '../../rollouts/index.ts'
import { trainableBytes } from './byte-model.ts'

/** Tasks that differ in their prompt alone. */
export const asciiTasks = ['p', 'q', 'r', 's'].map((id) => ({ id, task: id }))

/** Answers of at most eight tokens. */
export async function bytePolicy(model?: TrainableModel): Promise<Policy<TrainableModel>> {
  return createPolicy(model ?? (await trainableBytes()), { maxTokens: 8 })
}

/** One call of a model with a question, as an AI SDK program makes it. */
export async function ask(model: LanguageModelV4, question: string, signal: AbortSignal): Promise<string> {
  const { content } = await model.doGenerate({
    prompt: [{ role: 'user', content: [{ type: 'text', text: question }] }],
    abortSignal: signal,
  })
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('')
}

/** Share of an answer's characters that are ASCII letters, digits or signs: about a third for a model that knows nothing. */
export function asciiShare(text: string): number {
  const characters = [...text]
  return (
    characters.filter((character) => character >= ' ' && character <= '~').length /
    Math.max(1, characters.length)
  )
}

export async function asciiRollout({ model, task, signal }: RolloutContext<string>): Promise<number> {
  return asciiShare(await ask(model, task, signal))
}
