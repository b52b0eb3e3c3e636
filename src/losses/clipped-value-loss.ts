import { checkLength, checkOutputs, countTokens, finite, zerosLike } from './arrays.ts'
import { clip } from './clip.ts'
import { checkTotals } from './totals.ts'
import type { PureLoss, TokenTotals, ValueExample } from './types.ts'

export interface ValueLossParts {
  id: string
  totals: TokenTotals
  /** Values may move this far from the old ones before the squared error stops falling; null: no clip. */
  clip: number | null
  weight: (tokensOfSequence: number) => number
}

/**
 * PPO's value loss `1/2 * max((V - R)^2, (clip(V, Vold - clip, Vold + clip) - R)^2)` on `values`.
 * Metrics: `valueLoss`; `valueClipFraction`, the share of tokens whose clipped square is strictly larger.
 */
export function clippedValueLoss(
  parts: ValueLossParts,
): PureLoss<Partial<ValueExample> & { sequences: ValueExample['sequences'] }> {
  const { id, totals } = parts
  checkTotals(id, totals)
  return (example, outputs) => {
    checkOutputs(id, example, outputs)
    let loss = 0
    let clipped = 0
    const gradients = outputs.map((output, s) => {
      const length = output.logprobs.length
      const values = checkLength(id, 'values', s, output.values, length)
      const mask = checkLength(id, 'mask', s, example.masks?.[s], length)
      const returns = checkLength(id, 'returns', s, example.returns?.[s], length)
      const old = parts.clip === null ? null : checkLength(id, 'oldValues', s, example.oldValues?.[s], length)
      const weight = parts.weight(countTokens(mask))
      const gradient = zerosLike(values)
      for (let t = 0; t < length; t++) {
        if (mask[t] === 0) continue
        const value = finite(id, 'values', s, t, values[t])
        const target = finite(id, 'returns', s, t, returns[t])
        const error = value - target
        let held = error
        if (old && parts.clip !== null) {
          const before = finite(id, 'oldValues', s, t, old[t])
          held = clip(value, before - parts.clip, before + parts.clip) - target
        }
        if (held * held > error * error) {
          clipped++
          loss += (weight * held * held) / 2
        } else {
          loss += (weight * error * error) / 2
          gradient[t] = weight * error
        }
      }
      return { logprobs: zerosLike(output.logprobs), values: gradient }
    })
    return { loss, gradients, metrics: { valueLoss: loss, valueClipFraction: clipped / totals.tokens } }
  }
}
