import type { Model, Sample } from '../engine/index.ts'
import { endTokens } from '../text/index.ts'
import { type Conversation, promptTokens } from './marked-tokens.ts'

export interface SamplingOptions {
  /** Most tokens of an answer. Default 256. */
  maxTokens?: number
  /** Default 1. */
  temperature?: number
}

export interface AnswerRequest extends SamplingOptions {
  model: Pick<Model, 'sample' | 'tokenizer'>
  prompts: readonly Conversation[]
  /** Answers to each prompt. */
  count: number
  /** Seed of a prompt's answers. */
  seedOf(prompt: number): number
}

/** Answers of a model to prompts, all asked at once; in the order of prompts. Shape: [prompts][count]. */
export function sampleAnswers(request: AnswerRequest): Promise<Sample[][]> {
  const { model, prompts, count, seedOf, maxTokens = 256, temperature = 1 } = request
  const { tokenizer } = model
  const stopTokens = [...endTokens(tokenizer)]
  return Promise.all(
    prompts.map((prompt, index) =>
      model.sample({
        prompt: promptTokens(tokenizer, prompt),
        n: count,
        maxTokens,
        temperature,
        stopTokens,
        seed: seedOf(index),
      }),
    ),
  )
}
