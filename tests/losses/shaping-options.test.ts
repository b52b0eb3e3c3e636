import { randomBatch, seededRandom } from '../../scripts/gradcheck/random-batch.ts'
import { gae, gaeOptions } from '../../src/advantages/gae.ts'
import { gdpoDecoupled, gdpoDecoupledOptions } from '../../src/advantages/gdpo-decoupled.ts'
import { groupNormalised, groupNormalisedOptions } from '../../src/advantages/group-normalised.ts'
import { reinforceAdvantageOptions, reinforceAdvantages } from '../../src/advantages/reinforce.ts'
import {
  reinforcePlusPlusAdvantageOptions,
  reinforcePlusPlusAdvantages,
} from '../../src/advantages/reinforce-plus-plus.ts'
import { domainWeightsOptions, updateDomainWeights } from '../../src/losses/domain-weights.ts'
import { hideTokens, hideTokensOptions } from '../../src/losses/hide-tokens.ts'
import { trustRegionOptions, trustRegionStep } from '../../src/losses/trust-region-step.ts'
import { adaptiveKlOptions, adaptKlCoefficient } from '../../src/rewards/adaptive-kl.ts'
import { klInReward, klInRewardOptions } from '../../src/rewards/kl-in-reward.ts'
import {
  linearLengthPenalty,
  linearLengthPenaltyOptions,
  softOverlongOptions,
  softOverlongPenalty,
} from '../../src/rewards/length-penalty.ts'
import { describeOptions, type OptionSubject } from './describe-options.ts'

const batch = { ...randomBatch(seededRandom(21), 6), advantages: [1.2, 0.7, -0.8, -1.5, 0.3, -0.4] }
const trajectories = batch.masks.map((mask, s) => ({
  mask,
  rewards: batch.tokenRewards[s]!,
  values: batch.oldValues[s]!,
}))
const groups = [0, 0, 0, 1, 1, 1]

const whitenEpsilon: [object, object] = [{ whitenEpsilon: 1e-8 }, { whitenEpsilon: 0.5 }]
const epsilon: OptionSubject['effects'] = { epsilon: [{ epsilon: 0 }, { epsilon: 0.1 }] }
const subjects: Record<string, OptionSubject> = {
  gae: {
    specs: gaeOptions,
    run: (options: object) => gae(options, trajectories).advantages,
    effects: { gamma: [{ gamma: 1 }, { gamma: 0.9 }], lambda: [{ lambda: 1 }, { lambda: 0.9 }] },
  },
  'group-normalised': {
    specs: groupNormalisedOptions,
    run: (options: object) => groupNormalised(options, batch.advantages, groups),
    effects: { ...epsilon, normalise: [{ normalise: 'std' }, { normalise: 'none' }] },
  },
  'gdpo-decoupled': {
    specs: gdpoDecoupledOptions,
    run: (options: object) =>
      gdpoDecoupled(
        options,
        batch.advantages.map((a, i) => [a, batch.rewards[i]!]),
        [1, 2],
        groups,
      ).advantages,
    effects: epsilon,
  },
  'reinforce advantages': {
    specs: reinforceAdvantageOptions,
    run: (options: object) => reinforceAdvantages(options, batch.advantages, [1, 2, 3, 1, 0, 9]),
    effects: { whitenEpsilon, klCoefficient: [{ klCoefficient: 0 }, { klCoefficient: 0.1 }] },
  },
  'reinforce-plus-plus advantages': {
    specs: reinforcePlusPlusAdvantageOptions,
    run: (options: object) => reinforcePlusPlusAdvantages(options, trajectories).advantages,
    effects: { whitenEpsilon, gamma: [{ gamma: 1 }, { gamma: 0.9 }], ddof: [{ ddof: '0' }, { ddof: '1' }] },
  },
  hideTokens: {
    specs: hideTokensOptions,
    run: (options: object) => {
      const random = seededRandom(1)
      return hideTokens(
        new Int32Array(200),
        new Uint8Array(200).fill(1),
        { size: 9, maskToken: 8 },
        random,
        options,
      )
    },
    effects: {
      rate: [{ rate: 0.15 }, { rate: 0.5 }],
      maskShare: [{ maskShare: 0.8 }, { maskShare: 0.1 }],
      randomShare: [{ randomShare: 0.1 }, { randomShare: 0.2 }],
    },
  },
  trpo: {
    specs: trustRegionOptions,
    run: (options: object) =>
      trustRegionStep(options, {
        gradient: Float64Array.of(1, 2, -1),
        fisherProduct: (v) => Float64Array.of(2 * v[0]! + v[1]!, v[0]! + 3 * v[1]!, 5 * v[2]!),
        // Rises after the first instants, so that the line search has work to do.
        evaluate: (s) => ({
          kl: 0,
          loss: s[0]! + 2 * s[1]! - s[2]! + 10 * s.reduce((sum, x) => sum + x * x, 0),
        }),
      }),
    effects: {
      delta: [{ delta: 0.01 }, { delta: 0.02 }],
      damping: [{ damping: 0 }, { damping: 0.1 }],
      cgIterations: [{ cgIterations: 1 }, { cgIterations: 10 }],
      backtrackCoefficient: [
        { delta: 0.5, backtrackCoefficient: 0.5 },
        { delta: 0.5, backtrackCoefficient: 0.8 },
      ],
      backtrackIterations: [
        { delta: 0.5, backtrackIterations: 1 },
        { delta: 0.5, backtrackIterations: 10 },
      ],
      epsilon: [{ epsilon: 0 }, { epsilon: 0.1 }],
    },
  },
  doremi: {
    specs: domainWeightsOptions,
    run: (options: object) => {
      const thirds = Float64Array.of(0.5, 0.5)
      const state = { weights: thirds, scores: new Float64Array(2), averageWeights: thirds, updates: 3 }
      const losses = { tokenLosses: batch.returns, referenceLosses: batch.oldValues, masks: batch.masks }
      return updateDomainWeights(options, state, { ...losses, domains: groups })
    },
    effects: { eta: [{ eta: 1 }, { eta: 2 }], smoothing: [{ smoothing: 0 }, { smoothing: 0.1 }] },
  },
  'kl-in-reward': {
    specs: klInRewardOptions,
    run: (options: object) =>
      klInReward(options, { ...batch, logprobs: batch.oldLogprobs, scores: batch.rewards }).tokenRewards,
    effects: { beta: [{ beta: 0 }, { beta: 0.1 }], estimator: [{ estimator: 'k1' }, { estimator: 'k3' }] },
  },
  'adaptive KL': {
    specs: adaptiveKlOptions,
    run: (options: object) => adaptKlCoefficient(options, 0.1, 6.3, 16),
    effects: { target: [{ target: 6 }, { target: 7 }], horizon: [{ horizon: 100 }, { horizon: 1000 }] },
  },
  'linear length penalty': {
    specs: linearLengthPenaltyOptions,
    run: (options: object) => [linearLengthPenalty(options, 100), linearLengthPenalty(options, 1e6)],
    effects: {
      freeLength: [{ freeLength: 0 }, { freeLength: 50 }],
      perToken: [{ perToken: 0.001 }, { perToken: 0.002 }],
      largest: [{ largest: 1 }, { largest: 2 }],
    },
  },
  'soft overlong penalty': {
    specs: softOverlongOptions,
    run: (options: object) => softOverlongPenalty(options, 18000),
    effects: {
      maxLength: [{ maxLength: 20480 }, { maxLength: 18400 }],
      cacheLength: [{ cacheLength: 4096 }, { cacheLength: 8192 }],
      factor: [{ factor: 1 }, { factor: 0.5 }],
    },
  },
}

for (const [name, subject] of Object.entries(subjects)) describeOptions(name, subject)
