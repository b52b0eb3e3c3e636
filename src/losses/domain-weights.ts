import type { FloatArray } from '../engine/contract.ts'
import { checkLength, countTokens, finite, zerosLike } from './arrays.ts'
import { numberOption, type OptionsFor, readOptions } from './options.ts'
import type { Mask } from './types.ts'

export const domainWeightsOptions = {
  eta: numberOption('(0, inf)', 1, 'step of the weights in log space'),
  smoothing: numberOption('[0, 1]', 1e-3, 'share of every weight that is uniform'),
}

/** Losses of the proxy and the reference model on the same tokens. One entry a sequence; token arrays are [T]. */
export interface DomainBatch {
  tokenLosses: FloatArray[]
  referenceLosses: FloatArray[]
  masks: Mask[]
  /** Index of each sequence's domain. */
  domains: ArrayLike<number>
}

/** Shapes: [K], one entry a domain. */
export interface DomainState {
  weights: Float64Array
  /** Last known excess loss of each domain: kept for domains that a batch lacks. */
  scores: Float64Array
  averageWeights: Float64Array
  /** Updates so far; the average starts from the first. */
  updates: number
}

/**
 * One update of DoReMi's domain weights (arXiv 2305.10429), exponentiated gradient on the excess loss.
 *
 * Formula: score_d = mean over tokens of d of max(loss - ref, 0), clipped PER TOKEN; w <- (1 - c)*softmax(log w + eta*score) +
 *   c/K; average over updates
 */
export function updateDomainWeights(
  given: OptionsFor<typeof domainWeightsOptions>,
  state: DomainState,
  batch: DomainBatch,
): DomainState {
  const { eta, smoothing } = readOptions('doremi', domainWeightsOptions, given)
  const domains = state.weights.length
  const excess = new Float64Array(domains)
  const tokens = new Float64Array(domains)
  batch.tokenLosses.forEach((losses, s) => {
    const reference = checkLength('doremi', 'referenceLosses', s, batch.referenceLosses[s], losses.length)
    const mask = checkLength('doremi', 'mask', s, batch.masks[s], losses.length)
    const domain = domainOf(batch, s, domains)
    tokens[domain]! += countTokens(mask)
    for (let t = 0; t < losses.length; t++) {
      if (mask[t] === 0) continue
      const gap =
        finite('doremi', 'tokenLosses', s, t, losses[t]) -
        finite('doremi', 'referenceLosses', s, t, reference[t])
      excess[domain]! += Math.max(gap, 0)
    }
  })
  const scores = state.scores.map((previous, d) => (tokens[d]! > 0 ? excess[d]! / tokens[d]! : previous))
  const logits = state.weights.map((weight, d) => Math.log(weight) + eta * scores[d]!)
  const largest = Math.max(...logits)
  const exps = logits.map((logit) => Math.exp(logit - largest))
  const sum = exps.reduce((total, value) => total + value, 0)
  const weights = exps.map((value) => (1 - smoothing) * (value / sum) + smoothing / domains)
  const updates = state.updates + 1
  const averageWeights = state.averageWeights.map(
    (average, d) => (average * (updates - 1) + weights[d]!) / updates,
  )
  return { weights, scores, averageWeights, updates }
}

/** The proxy's loss under the weights: `sum of m*w*loss / sum of m*w`, with its gradient in each token's loss. */
export function weightedDomainLoss(weights: Float64Array, batch: Omit<DomainBatch, 'referenceLosses'>) {
  const rows = batch.tokenLosses.map((_, s) => weights[domainOf(batch, s, weights.length)]!)
  const divisor = batch.masks.reduce((sum, mask, s) => sum + rows[s]! * countTokens(mask), 0)
  if (!(divisor > 0)) throw new Error('doremi: no token of the batch has mask 1 and a weight above 0')
  let loss = 0
  const gradients = batch.tokenLosses.map((losses, s) => {
    const mask = checkLength('doremi', 'mask', s, batch.masks[s], losses.length)
    const gradient = zerosLike(losses)
    for (let t = 0; t < losses.length; t++) {
      if (mask[t] === 0) continue
      gradient[t] = rows[s]! / divisor
      loss += (rows[s]! / divisor) * finite('doremi', 'tokenLosses', s, t, losses[t])
    }
    return gradient
  })
  return { loss, gradients }
}

function domainOf(batch: Pick<DomainBatch, 'domains'>, sequence: number, domains: number): number {
  const domain = batch.domains[sequence]
  if (domain !== undefined && Number.isInteger(domain) && domain >= 0 && domain < domains) return domain
  throw new RangeError(
    `doremi: the domain of sequence ${sequence} must be an integer in [0, ${domains}), got ${domain}`,
  )
}
