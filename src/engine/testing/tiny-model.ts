import { fileURLToPath } from 'node:url'
import { type Tokenizer, trainTokenizer } from '../../text/index.ts'
import type { Example, Loss } from '../contract.ts'
import { createModel } from '../create-model.ts'
import type { Model, Precision } from '../model.ts'
import { binding, type NativeLoadOptions } from '../native-model.ts'

/** Families with golden vectors, small enough to run in milliseconds. Their vocabulary has 257 tokens. */
export type TinyName =
  | 'llama-gqa-tied'
  | 'llama-mha-untied'
  | 'llama-mqa-headdim32'
  | 'mistral-sliding-window'
  | 'qwen2-qkv-bias'
  | 'qwen3-qk-norm'

let tokenizer: Promise<Tokenizer> | undefined

export function tinyTokenizer(): Promise<Tokenizer> {
  tokenizer ??= trainTokenizer(['a'], {
    vocabularySize: 257,
    specialTokens: ['<|end|>'],
    eosToken: '<|end|>',
  })
  return tokenizer
}

export async function tinyModel(
  name: TinyName,
  precision: Precision,
  options: Partial<NativeLoadOptions> = {},
): Promise<Model> {
  const path = fileURLToPath(new URL(`../../../tests/goldens/models/${name}`, import.meta.url))
  const settings = { precision, threads: 2, kvBytes: 64 << 20, activationBytes: 64 << 20, ...options }
  return createModel(await binding.open(path, settings), await tinyTokenizer(), precision)
}

/** Integers from 0 below `bound`, by a seed. */
export function createRandom(seed: number): (bound: number) => number {
  let state = seed >>> 0
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

export function randomTokens(random: (bound: number) => number, length: number): Int32Array {
  return Int32Array.from({ length }, () => random(257))
}

/** A sequence that asks for each next token. */
export function sequenceOf(tokens: ArrayLike<number>): { input: Int32Array; target: Int32Array } {
  const all = Int32Array.from(tokens)
  return { input: all.slice(0, -1), target: all.slice(1) }
}

/** A smooth loss of everything a model says, with weights that differ from token to token. */
export const probeLoss: Loss<Example> = (_, outputs) => {
  let loss = 0
  const gradients = outputs.map((output, sequence) => {
    const weight = (position: number) => Math.cos(sequence * 5 + position)
    const part = (values: Float32Array | undefined, scale: number) =>
      values &&
      Float32Array.from(values, (value, position) => {
        loss += scale * weight(position) * value
        return scale * weight(position)
      })
    const logprobs = part(output.logprobs, 1) as Float32Array
    const entropy = part(output.entropy, 0.3)
    const values = part(output.values, 0.7)
    return { logprobs, ...(entropy && { entropy }), ...(values && { values }) }
  })
  return { loss, gradients, metrics: {} }
}

/** Largest difference over the largest magnitude. */
export function relativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let [difference, magnitude] = [0, 0]
  for (let i = 0; i < want.length; i++) {
    difference = Math.max(difference, Math.abs((got[i] as number) - (want[i] as number)))
    magnitude = Math.max(magnitude, Math.abs(want[i] as number))
  }
  return difference / Math.max(magnitude, Number.MIN_VALUE)
}
