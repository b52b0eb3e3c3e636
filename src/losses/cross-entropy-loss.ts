import { checkLength, checkOutputs, countTokens, finite, zerosLike } from './arrays.ts'
import { checkTotals } from './totals.ts'
import type { MaskedExample, PureLoss, TokenTotals } from './types.ts'

/** `-sum of m * w * l`. Metrics: `nll`, mean of -l over the batch's trained tokens, in nats; `entropy` when it is reported. */
export function crossEntropyLoss(parts: {
  id: string
  totals: TokenTotals
  weight: (tokensOfSequence: number) => number
}): PureLoss<MaskedExample> {
  const { id, totals } = parts
  checkTotals(id, totals)
  return (example, outputs) => {
    checkOutputs(id, example, outputs)
    let loss = 0
    let nll = 0
    let entropySum: number | undefined
    const gradients = outputs.map(({ logprobs, entropy }, s) => {
      const mask = checkLength(id, 'mask', s, example.masks[s], logprobs.length)
      const weight = parts.weight(countTokens(mask))
      const gradient = zerosLike(logprobs)
      for (let t = 0; t < logprobs.length; t++) {
        if (mask[t] === 0) continue
        const l = finite(id, 'logprobs', s, t, logprobs[t])
        loss -= weight * l
        nll -= l / totals.tokens
        gradient[t] = -weight
        if (entropy) entropySum = (entropySum ?? 0) + finite(id, 'entropy', s, t, entropy[t])
      }
      return { logprobs: gradient }
    })
    const entropy = entropySum !== undefined && { entropy: entropySum / totals.tokens }
    return { loss, gradients, metrics: { nll, ...entropy } }
  }
}
