import type { FloatArray } from '../engine/contract.ts'
import { checkLength, countTokens, finite } from '../losses/arrays.ts'
import { klEstimators } from '../losses/kl-estimators.ts'
import { choiceOption, numberOption, type OptionsFor, readOptions } from '../losses/options.ts'
import type { Mask } from '../losses/types.ts'
import { clipReward } from './clip-reward.ts'

export const klInRewardOptions = {
  beta: numberOption('[0, inf)', 0.05, 'what a nat of KL costs'),
  estimator: choiceOption(['k1', 'k2', 'k3'], 'k1', 'k1 is unbiased and right here, where no gradient flows'),
}

/** One entry a sequence; token arrays are [T]. Log-probabilities are those of the policy that sampled. */
export interface ScoredResponses {
  logprobs: FloatArray[]
  referenceLogprobs: FloatArray[]
  masks: Mask[]
  scores: ArrayLike<number>
}

/**
 * Rewards a token: the KL penalty on each action token, the score on the last action token.
 *
 * Formula: m*(-beta*kl_t) + [t = last token with mask 1] * clip(score) (arXiv 1909.08593). TRL places the score on the first
 *   padding position and slime on the last position, a tool token perhaps; OpenRLHF and we on the last action token
 *
 * @param scoreClip bounds of the score, or null
 * @returns tokenRewards and kl, [T] a sequence, 0 where the mask is 0; sequenceKl, the sums; meanKl, the token mean
 * @throws Error for a response without an action token: its score would be lost
 */
export function klInReward(
  given: OptionsFor<typeof klInRewardOptions>,
  batch: ScoredResponses,
  scoreClip: readonly [number, number] | null = null,
) {
  const id = 'kl-in-reward'
  const { beta, estimator } = readOptions(id, klInRewardOptions, given)
  const kl: Float64Array[] = []
  const sequenceKl = new Float64Array(batch.masks.length)
  let tokens = 0
  const tokenRewards = batch.masks.map((mask, s) => {
    const logprobs = checkLength(id, 'logprobs', s, batch.logprobs[s], mask.length)
    const reference = checkLength(id, 'referenceLogprobs', s, batch.referenceLogprobs[s], mask.length)
    const actions = countTokens(mask)
    if (actions === 0) throw new Error(`${id}: sequence ${s} has no token with mask 1 to carry its score`)
    tokens += actions
    const estimates = new Float64Array(mask.length)
    const rewards = new Float64Array(mask.length)
    let last = 0
    for (let t = 0; t < mask.length; t++) {
      if (mask[t] === 0) continue
      const d =
        finite(id, 'logprobs', s, t, logprobs[t]) - finite(id, 'referenceLogprobs', s, t, reference[t])
      estimates[t] = finite(id, 'the KL estimate', s, t, klEstimators[estimator].value(d))
      rewards[t] = -beta * estimates[t]!
      sequenceKl[s]! += estimates[t]!
      last = t
    }
    const score = finite(id, 'the score', s, last, batch.scores[s])
    rewards[last]! += scoreClip ? clipReward(score, scoreClip) : score
    kl.push(estimates)
    return rewards
  })
  const meanKl = sequenceKl.reduce((sum, value) => sum + value, 0) / tokens
  return { tokenRewards, kl, sequenceKl, meanKl }
}
