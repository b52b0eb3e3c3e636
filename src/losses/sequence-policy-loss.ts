import { checkLength, checkOutputs, countTokens, finite, zerosLike } from './arrays.ts'
import { ratioOf } from './ratio.ts'
import { clippedSurrogate } from './surrogate.ts'
import { checkTotals } from './totals.ts'
import type { PolicyExample, PureLoss, TokenTotals } from './types.ts'

export interface SequencePolicyLossParts {
  id: string
  totals: TokenTotals
  clipLow: number
  clipHigh: number
  /** True: exp(mean of l - lo); false: exp(sum of l - lo). */
  lengthNormalised: boolean
  /** Read one advantage a token instead of one a sequence. */
  tokenAdvantages: boolean
}

/**
 * Mean over the batch's sequences of the clipped surrogate of ONE ratio a sequence. With token advantages the ratio of each
 * token has the value of its sequence's and the gradient of its own l (GSPO-token).
 *
 * Importance weights multiply the term: of a sequence ratio their mean over its tokens, of a token ratio the token's own.
 *
 * Metrics: `clipFraction`, share of sequences (absent with token advantages); `clipFractionTokens`, the same weighted by
 * length; `approxKl`, token mean of lo - l; `ratioMin`, `ratioMax`.
 */
export function sequencePolicyLoss(parts: SequencePolicyLossParts): PureLoss<PolicyExample> {
  const { id, totals, clipLow, clipHigh } = parts
  checkTotals(id, totals)
  const term = clippedSurrogate(clipLow, clipHigh, null)
  const clips = (ratio: number, a: number) =>
    (ratio < 1 - clipLow && a < 0) || (ratio > 1 + clipHigh && a > 0)
  return (example, outputs) => {
    checkOutputs(id, example, outputs)
    let loss = 0
    let clippedSequences = 0
    let clippedTokens = 0
    let k1 = 0
    const sequenceAdvantages = example.advantages.every((advantage) => typeof advantage === 'number')
    let minimum = Infinity
    let maximum = -Infinity
    const gradients = outputs.map(({ logprobs }, s) => {
      const length = logprobs.length
      const mask = checkLength(id, 'mask', s, example.masks[s], length)
      const old = checkLength(id, 'oldLogprobs', s, example.oldLogprobs?.[s], length)
      const advantages = example.advantages[s]
      const perToken = typeof advantages !== 'number'
      if (perToken && !parts.tokenAdvantages) {
        throw new Error(`${id}: this form takes one advantage a sequence, sequence ${s} has one a token`)
      }
      if (perToken) checkLength(id, 'advantages', s, advantages, length)
      const weights =
        example.importanceWeights &&
        checkLength(id, 'importanceWeights', s, example.importanceWeights[s], length)
      const gradient = zerosLike(logprobs)
      const tokens = countTokens(mask)
      if (tokens === 0) return { logprobs: gradient }

      let logRatio = 0
      let weightSum = 0
      for (let t = 0; t < length; t++) {
        if (mask[t] === 0) continue
        logRatio += finite(id, 'logprobs', s, t, logprobs[t]) - finite(id, 'oldLogprobs', s, t, old[t])
        weightSum += weights ? finite(id, 'importanceWeights', s, t, weights[t]) : 1
      }
      const slope = parts.lengthNormalised ? 1 / tokens : 1
      const ratio = ratioOf(id, s, 0, logRatio * slope)
      for (let t = 0; t < length; t++) {
        if (mask[t] === 0) continue
        const advantage = finite(id, 'advantages', s, t, perToken ? advantages![t] : advantages)
        const weight =
          (weights && parts.tokenAdvantages ? weights[t]! : weightSum / tokens) / totals.sequences
        loss += (weight * finite(id, 'the policy term', s, t, term.value(ratio, advantage, 0))) / tokens
        gradient[t] = weight * slope * term.derivative(ratio, advantage)
        if (clips(ratio, advantage)) clippedTokens++
      }
      if (!perToken && clips(ratio, advantages)) clippedSequences++
      k1 -= logRatio
      minimum = Math.min(minimum, ratio)
      maximum = Math.max(maximum, ratio)
      return { logprobs: gradient }
    })
    const metrics = {
      clipFractionTokens: clippedTokens / totals.tokens,
      approxKl: k1 / totals.tokens,
      ...(sequenceAdvantages && { clipFraction: clippedSequences / totals.sequences }),
      ...(minimum <= maximum && { ratioMin: minimum, ratioMax: maximum }),
    }
    return { loss, gradients, metrics }
  }
}
