import { checkLength, checkOutputs, countTokens, finite, zerosLike } from './arrays.ts'
import type { MaskedExample, PureLoss } from './types.ts'

/** `-sum of m * w * H`: rewards a policy for staying undecided. Needs the model's entropies. */
export function entropyBonus(parts: {
  id: string
  weight: (tokens: number) => number
}): PureLoss<MaskedExample> {
  const { id } = parts
  return (example, outputs) => {
    checkOutputs(id, example, outputs)
    let loss = 0
    const gradients = outputs.map((output, s) => {
      const entropy = checkLength(id, 'entropy', s, output.entropy, output.logprobs.length)
      const mask = checkLength(id, 'mask', s, example.masks[s], entropy.length)
      const weight = parts.weight(countTokens(mask))
      const gradient = zerosLike(entropy)
      for (let t = 0; t < entropy.length; t++) {
        if (mask[t] === 0) continue
        loss -= weight * finite(id, 'entropy', s, t, entropy[t])
        gradient[t] = -weight
      }
      return { logprobs: zerosLike(output.logprobs), entropy: gradient }
    })
    return { loss, gradients, metrics: {} }
  }
}
