import {
  gae,
  gdpoDecoupled,
  reinforcePlusPlusAdvantages,
  reinforcePlusPlusBaseline,
  whitenTokens,
} from '../../src/advantages/index.ts'
import { passAtK } from '../../src/evals/pass-at-k.ts'
import {
  algorithm,
  klLoss,
  tokenTotals,
  trustRegionStep,
  updateDomainWeights,
  weightedDomainLoss,
} from '../../src/losses/index.ts'
import { klEstimators } from '../../src/losses/kl-estimators.ts'
import { adaptKlCoefficient, klInReward, softOverlongPenalty } from '../../src/rewards/index.ts'
import { type Adapter, options, sequencesOf } from './golden-case.ts'
import { givenAdvantages, policyBatch } from './policy.ts'

export const gaeAdapter: Adapter = ({ inputs, config, rows }) => {
  const [rewards, values] = [rows('rewards'), rows('values')]
  const trajectories = rewards.map((row, s) => ({ rewards: row, values: values[s]!, mask: inputs.mask[s] }))
  const { advantages, returns } = gae(options(config, ['gamma', 'lambda']), trajectories)
  return { advantages, returns, whitened: whitenTokens(advantages, inputs.mask, config.whitenEpsilon) }
}

export const reinforcePlusPlus: Adapter = (golden) => {
  const { inputs, config } = golden
  const ddof = String(config.ddof ?? 1) as '0' | '1'
  const whitening = { ddof, ...options<{ whitenEpsilon: number }>(config, ['whitenEpsilon']) }
  const names = ['clipLow', 'clipHigh', 'klCoefficient', 'aggregation', 'constant'] as const
  const loss = algorithm('reinforce-plus-plus').build(options(config, names), tokenTotals(inputs.mask))
  if (config.variant === 'baseline') {
    const advantages = reinforcePlusPlusBaseline(whitening, inputs.rewards, inputs.groups, inputs.mask)
    return { ...policyBatch(golden, advantages, loss), advantages }
  }
  if (config.variant !== 'plain') throw new Error(`unknown variant ${config.variant}`)
  const trajectories = golden.rows('tokenRewards').map((rewards, s) => ({ rewards, mask: inputs.mask[s] }))
  const given = { ...whitening, ...options<{ gamma: number }>(config, ['gamma']) }
  const { returns, advantages } = reinforcePlusPlusAdvantages(given, trajectories)
  return { ...policyBatch(golden, advantages, loss), returns, advantages }
}

export const gdpoDecoupledAdapter: Adapter = ({ inputs, config }) => ({
  ...gdpoDecoupled(options(config, ['epsilon']), inputs.rewards, config.weights, inputs.groups),
})

export const klEstimatorsAdapter: Adapter = ({ inputs, config, rows }) => {
  const [logprobs, referenceLogprobs] = [rows('logprobs'), rows('refLogprobs')]
  const estimator = config.estimator as keyof typeof klEstimators
  const example = { sequences: sequencesOf(logprobs), masks: inputs.mask, referenceLogprobs }
  const outputs = logprobs.map((row) => ({ logprobs: row }))
  const { loss, gradients } = klLoss(estimator, tokenTotals(inputs.mask))(example, outputs)
  const values = logprobs.map((row, s) =>
    Array.from(row, (l, t) =>
      inputs.mask[s][t] ? klEstimators[estimator].value(l - referenceLogprobs[s]![t]!) : 0,
    ),
  )
  return { loss, values, gradient: gradients.map((gradient) => gradient.logprobs) }
}

export const truncatedImportanceSampling: Adapter = (golden) => {
  const { inputs, config } = golden
  const entry = algorithm(`is-${config.mode}`)
  if (entry.kind !== 'weights') throw new Error(`unknown mode ${config.mode}`)
  const batch = {
    oldLogprobs: golden.rows('oldLogprobs'),
    samplerLogprobs: golden.rows('samplerLogprobs'),
    masks: inputs.mask,
  }
  const { weights, sequenceRatios, metrics } = entry.weigh(options(config, ['lower', 'upper']), batch)
  const computed = { ...metrics, weights, sequenceRatios }
  const given = options(config, ['clipLow', 'clipHigh', 'dualClip', 'aggregation', 'constant'])
  if (!inputs.advantages) return computed
  const loss = algorithm('ppo').build(given, tokenTotals(inputs.mask))
  return { ...policyBatch(golden, givenAdvantages(golden), loss, weights), ...computed }
}

export const klInRewardAdapter: Adapter = ({ inputs, config, rows }) => ({
  ...klInReward(
    options(config, ['beta', 'estimator']),
    {
      logprobs: rows('logprobs'),
      referenceLogprobs: rows('refLogprobs'),
      masks: inputs.mask,
      scores: inputs.scores,
    },
    config.scoreClip ?? null,
  ),
})

export const adaptiveKlController: Adapter = ({ inputs, config }) => {
  let coefficient = config.initial
  const coefficients = inputs.observedKl.map((kl: number, i: number) => {
    coefficient = adaptKlCoefficient(options(config, ['target', 'horizon']), coefficient, kl, inputs.steps[i])
    return coefficient
  })
  return { coefficients }
}

export const softOverlong: Adapter = ({ inputs, config }) => ({
  penalties: inputs.lengths.map((length: number) =>
    softOverlongPenalty(options(config, ['maxLength', 'cacheLength', 'factor']), length),
  ),
})

export const passAtKAdapter: Adapter = ({ inputs, config }) => {
  const perProblem: number[] = inputs.samples.map((n: number, i: number) =>
    passAtK(n, inputs.correct[i], config.k),
  )
  return { perProblem, mean: perProblem.reduce((sum, value) => sum + value, 0) / perProblem.length }
}

export const trpo: Adapter = ({ inputs, config }) => {
  const times = (matrix: number[][], v: Float64Array) =>
    Float64Array.from(matrix, (row) => row.reduce((sum, value, k) => sum + value * v[k]!, 0))
  const dot = (a: ArrayLike<number>, b: Float64Array) => b.reduce((sum, value, k) => sum + value * a[k]!, 0)
  const names = [
    'cgIterations',
    'damping',
    'delta',
    'backtrackCoefficient',
    'backtrackIterations',
    'epsilon',
  ] as const
  return trustRegionStep(options(config, names), {
    gradient: Float64Array.from(inputs.gradient),
    fisherProduct: (vector) => times(inputs.fisher, vector),
    evaluate: (s) => ({
      kl: 0.5 * dot(times(inputs.fisher, s), s) + inputs.quartic * dot(s, s) ** 2,
      loss: dot(inputs.gradient, s) + 0.5 * dot(times(inputs.curvature, s), s),
    }),
  })
}

export const doremi: Adapter = ({ inputs, config, rows }) => {
  const batch = {
    tokenLosses: rows('tokenLosses'),
    referenceLosses: rows('referenceLosses'),
    masks: inputs.mask,
    domains: inputs.domains,
  }
  const state = updateDomainWeights(
    options(config, ['eta', 'smoothing']),
    {
      weights: Float64Array.from(inputs.domainWeights),
      scores: Float64Array.from(inputs.previousScores),
      averageWeights: Float64Array.from(inputs.averageWeights),
      updates: inputs.updateCount,
    },
    batch,
  )
  const { loss, gradients } = weightedDomainLoss(state.weights, batch)
  return {
    domainScores: state.scores,
    domainWeights: state.weights,
    averageWeights: state.averageWeights,
    loss,
    gradient: gradients,
  }
}
