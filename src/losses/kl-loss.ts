import type { FloatArray } from '../engine/contract.ts'
import { checkLength, checkOutputs, countTokens, finite, zerosLike } from './arrays.ts'
import { type KlEstimatorName, klEstimators } from './kl-estimators.ts'
import { checkTotals } from './totals.ts'
import type { MaskedExample, PureLoss, TokenTotals } from './types.ts'

/** Token mean of a KL estimate over the batch: `sum(m * k) / tokens`. Metric: `kl`, the same number. */
export function klLoss(
  estimator: KlEstimatorName,
  totals: TokenTotals,
): PureLoss<MaskedExample & { referenceLogprobs: FloatArray[] }> {
  const id = `kl-${estimator}`
  checkTotals(id, totals)
  const { value, derivative } = klEstimators[estimator]
  return (example, outputs) => {
    checkOutputs(id, example, outputs)
    let loss = 0
    const gradients = outputs.map(({ logprobs }, s) => {
      const mask = checkLength(id, 'mask', s, example.masks[s], logprobs.length)
      const reference = checkLength(id, 'referenceLogprobs', s, example.referenceLogprobs[s], logprobs.length)
      countTokens(mask)
      const gradient = zerosLike(logprobs)
      for (let t = 0; t < logprobs.length; t++) {
        if (mask[t] === 0) continue
        const d =
          finite(id, 'logprobs', s, t, logprobs[t]) - finite(id, 'referenceLogprobs', s, t, reference[t])
        loss += finite(id, 'the KL estimate', s, t, value(d)) / totals.tokens
        gradient[t] = derivative(d) / totals.tokens
      }
      return { logprobs: gradient }
    })
    return { loss, gradients, metrics: { kl: loss } }
  }
}
