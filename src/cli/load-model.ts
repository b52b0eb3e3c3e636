import type { Sequence, TokenOutputs } from '../engine/contract.ts'
import type { Tokenizer } from '../text/index.ts'

/** What the commands ask of a model. */
export interface CommandModel {
  readonly info: { readonly vocabularySize: number; readonly context: number }
  readonly tokenizer: Tokenizer
  forward(sequences: Sequence[], options: { entropy: boolean; temperature: number }): Promise<TokenOutputs[]>
  sample(request: {
    prompt: Int32Array
    n: number
    maxTokens: number
    temperature: number
    topK: number
    topP: number
    minP: number
    seed: number
    stopTokens: number[]
    stopStrings: string[]
    onToken?: (token: { text: string }) => void
    signal?: AbortSignal
  }): Promise<
    {
      text: string
      promptTokens: Int32Array
      tokens: Int32Array
      logprobs: Float32Array
      stopReason: 'stop' | 'length' | 'aborted'
    }[]
  >
}

export type LoadModel = (
  name: string,
  options: { precision: 'f32' | 'bf16'; threads?: number; base?: string },
) => Promise<CommandModel>
