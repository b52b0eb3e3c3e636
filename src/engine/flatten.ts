import type { Sequence, TokenOutputs } from './contract.ts'
import { EngineError } from './engine-error.ts'
import type { ForwardOptions } from './model.ts'
import type { NativeInputs, NativeOutputs } from './native-model.ts'
import { shown } from './shown.ts'

/** Sequences that `checkSequences` found right, one after another, as the addon takes them. */
export function flattenSequences(sequences: readonly Sequence[], options: ForwardOptions): NativeInputs {
  return {
    tokens: concatenate(sequences.map((sequence) => sequence.input)),
    targets: concatenate(sequences.map((sequence) => sequence.target)),
    lengths: Uint32Array.from(sequences, ({ input }) => input.length),
    masks: Int32Array.from(sequences, maskOf),
    temperature: options.temperature ?? 1,
    entropy: options.entropy ?? false,
    values: options.values ?? false,
    share: options.sharePrefixes ?? true,
  }
}

function maskOf({ input, attention = 'causal' }: Sequence): number {
  if (attention === 'causal') return -1
  if (attention === 'bidirectional') return -2
  return Math.min(attention.prefix, input.length)
}

function concatenate(arrays: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(arrays.reduce((sum, array) => sum + array.length, 0))
  let at = 0
  for (const array of arrays) {
    all.set(array, at)
    at += array.length
  }
  return all
}

/** Cuts flat outputs into one of each sequence. */
export function splitOutputs(outputs: NativeOutputs, lengths: Uint32Array): TokenOutputs[] {
  let at = 0
  return Array.from(lengths, (length) => {
    const [from, to] = [at, at + length]
    at = to
    return {
      logprobs: outputs.logprobs.slice(from, to),
      ...(outputs.entropy && { entropy: outputs.entropy.slice(from, to) }),
      ...(outputs.values && { values: outputs.values.slice(from, to) }),
    }
  })
}

/** Gradients one after another. An absent gradient is zero. Errors: one that does not fit its sequence, or is not finite. */
export function flattenGradients(gradients: readonly TokenOutputs[], lengths: Uint32Array): NativeOutputs {
  const total = lengths.reduce((sum, length) => sum + length, 0)
  const gather = (kind: 'logprobs' | 'entropy' | 'values') => {
    const flat = new Float32Array(total)
    let at = 0
    for (const [index, length] of lengths.entries()) {
      const part = gradients[index]?.[kind]
      if (part) {
        if (!ArrayBuffer.isView(part) && !Array.isArray(part))
          throw new EngineError(
            `the loss gave ${shown(part)} as the gradients of ${kind} of sequence ${index}; they must be a Float32Array`,
          )
        if (part.length !== length)
          throw new EngineError(
            `the loss gave ${part.length} gradients of ${kind} for sequence ${index} of ${length} tokens`,
          )
        const bad = part.findIndex((value) => !Number.isFinite(Math.fround(value)))
        if (bad >= 0)
          throw new EngineError(
            `the loss gave ${part[bad]} as the gradient of ${kind}[${bad}] of sequence ${index}; the batch's gradients were cleared`,
          )
        flat.set(part, at)
      }
      at += length
    }
    return flat
  }
  const some = (kind: 'entropy' | 'values') => gradients.some((gradient) => gradient?.[kind])
  return {
    logprobs: gather('logprobs'),
    ...(some('entropy') && { entropy: gather('entropy') }),
    ...(some('values') && { values: gather('values') }),
  }
}
