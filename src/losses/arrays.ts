import type { Example, FloatArray, TokenOutputs } from '../engine/contract.ts'
import type { Mask } from './types.ts'

/** Zeros of the same width and length. */
export function zerosLike<A extends FloatArray>(array: A): A {
  return new (array.constructor as new (length: number) => A)(array.length)
}

/** @throws Error unless there is one output a sequence and each is as long as its target */
export function checkOutputs(
  id: string,
  example: Example,
  outputs: readonly TokenOutputs<FloatArray>[],
): void {
  const count = example.sequences.length
  if (outputs.length !== count) {
    throw new Error(
      `${id}: the example has ${count} sequences, but the model gave outputs for ${outputs.length}`,
    )
  }
  for (let s = 0; s < count; s++) {
    checkLength(id, 'logprobs', s, outputs[s]!.logprobs, example.sequences[s]!.target.length)
  }
}

/** @throws Error unless the array exists and has one entry a target */
export function checkLength<T extends ArrayLike<number>>(
  id: string,
  name: string,
  sequence: number,
  array: T | undefined,
  length: number,
): T {
  if (array === undefined) throw new Error(`${id}: sequence ${sequence} has no ${name}`)
  if (array.length !== length) {
    throw new Error(
      `${id}: ${name} of sequence ${sequence} has ${array.length} entries, its target ${length}; they must align`,
    )
  }
  return array
}

/** Number of trained tokens. @throws Error when an entry is neither 0 nor 1 */
export function countTokens(mask: Mask): number {
  let count = 0
  for (let t = 0; t < mask.length; t++) {
    const m = mask[t]
    if (m === 1) count++
    else if (m !== 0) throw new Error(`a mask holds 0 and 1 only, got ${m} at token ${t}`)
  }
  return count
}

/** The number itself. @throws Error naming the array, sequence and token when it is NaN or infinite */
export function finite(
  id: string,
  name: string,
  sequence: number,
  token: number,
  value: number | undefined,
): number {
  if (value !== undefined && value - value === 0) return value
  throw new Error(`${id}: ${name} is ${value} at token ${token} of sequence ${sequence}; it must be finite`)
}
