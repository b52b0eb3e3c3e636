import type { Example, Loss, Sequence, TokenOutputs } from '../../src/engine/contract.ts'
import type { Tokenizer } from '../../src/text/index.ts'

/** What the goldens ask of a model. */
export interface GoldenModel {
  readonly tokenizer: Tokenizer
  forward(sequences: Sequence[], options?: { entropy?: boolean }): Promise<TokenOutputs[]>
  sample(request: {
    prompt: Int32Array
    n: number
    maxTokens: number
    temperature: number
    stopTokens: number[]
  }): Promise<{ tokens: Int32Array }[]>
  trainable(method: { full: true }): Promise<{
    forwardBackward<E extends Example>(examples: E[], loss: Loss<E>): Promise<unknown>
    gradient(parameter: string): Promise<Float32Array>
  }>
}

export type LoadGoldenModel = (path: string) => Promise<GoldenModel>

/** The worst relative error of each thing compared, and what is wrong beyond numbers. */
export interface GoldenResult {
  name: string
  errors: Record<string, number>
  failures: string[]
}
