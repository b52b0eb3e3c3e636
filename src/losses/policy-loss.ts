import { checkLength, checkOutputs, countTokens, finite, zerosLike } from './arrays.ts'
import { klEstimators } from './kl-estimators.ts'
import { policyMetrics } from './policy-metrics.ts'
import { ratioOf } from './ratio.ts'
import type { PolicyTerm } from './surrogate.ts'
import { checkTotals } from './totals.ts'
import type { PolicyExample, PureLoss, TokenTotals } from './types.ts'

export interface PolicyLossParts {
  id: string
  totals: TokenTotals
  /** Weight of a trained token in a sequence that trains n of them. */
  weight: (tokensOfSequence: number) => number
  term: PolicyTerm
  /** Bounds whose crossing counts as clipped in the metrics. */
  clipLow: number
  clipHigh: number
  /** Count a crossing whatever the sign of the advantage. */
  clipsBothSigns?: boolean
  dualClip?: number | null
  klCoefficient?: number
  klEstimator?: 'k2' | 'k3' | 'k3+'
}

/**
 * `sum of m * w * (importance weight * policy term + klCoefficient * KL estimate)` over an example's sequences: the loop that
 * the token-level policy losses share.
 */
export function policyLoss(parts: PolicyLossParts): PureLoss<PolicyExample> {
  const { id, totals, term, klCoefficient = 0 } = parts
  checkTotals(id, totals)
  const kl = klEstimators[parts.klEstimator ?? 'k3']
  return (example, outputs) => {
    checkOutputs(id, example, outputs)
    const metrics = policyMetrics(parts)
    let loss = 0
    const gradients = outputs.map((output, s) => {
      const { logprobs } = output
      const length = logprobs.length
      const mask = checkLength(id, 'mask', s, example.masks[s], length)
      const old = optional(id, 'oldLogprobs', s, example.oldLogprobs, length, term.usesRatio)
      const reference = optional(
        id,
        'referenceLogprobs',
        s,
        example.referenceLogprobs,
        length,
        klCoefficient !== 0,
      )
      const importance = optional(id, 'importanceWeights', s, example.importanceWeights, length, false)
      const advantages = example.advantages[s]
      if (typeof advantages !== 'number') checkLength(id, 'advantages', s, advantages, length)
      const weight = parts.weight(countTokens(mask))
      const gradient = zerosLike(logprobs)
      for (let t = 0; t < length; t++) {
        if (mask[t] === 0) continue
        const l = finite(id, 'logprobs', s, t, logprobs[t])
        const advantage = finite(
          id,
          'advantages',
          s,
          t,
          typeof advantages === 'number' ? advantages : advantages![t],
        )
        const policyWeight = weight * (importance ? finite(id, 'importanceWeights', s, t, importance[t]) : 1)
        const logRatio = old ? l - finite(id, 'oldLogprobs', s, t, old[t]) : 0
        const ratio = ratioOf(id, s, t, logRatio)
        loss += policyWeight * finite(id, 'the policy term', s, t, term.value(ratio, advantage, l))
        let slope = policyWeight * term.derivative(ratio, advantage)
        if (reference) {
          const d = l - finite(id, 'referenceLogprobs', s, t, reference[t])
          const estimate = finite(id, 'the KL estimate', s, t, kl.value(d))
          metrics.addKl(estimate)
          loss += weight * klCoefficient * estimate
          slope += weight * klCoefficient * kl.derivative(d)
        }
        gradient[t] = slope
        if (old) metrics.add(ratio, advantage, logRatio)
        if (output.entropy) metrics.addEntropy(finite(id, 'entropy', s, t, output.entropy[t]))
      }
      return { logprobs: gradient }
    })
    return { loss, gradients, metrics: metrics.result() }
  }
}

function optional<T extends ArrayLike<number>>(
  id: string,
  name: string,
  sequence: number,
  arrays: T[] | undefined,
  length: number,
  needed: boolean,
): T | undefined {
  return arrays || needed ? checkLength(id, name, sequence, arrays?.[sequence], length) : undefined
}
