import { groupNormalised, keptGroups, leaveOneOut } from '../../src/advantages/index.ts'
import type { FloatArray } from '../../src/engine/contract.ts'
import {
  algorithm,
  batchLoss,
  type PolicyExample,
  type PureLoss,
  tokenTotals,
} from '../../src/losses/index.ts'
import { sequenceLogRatio } from '../../src/losses/sequence-log-ratio.ts'
import { type Adapter, type Computed, type GoldenCase, options, sequencesOf } from './golden-case.ts'

const clipNames = ['clipLow', 'clipHigh'] as const
const aggregationNames = ['aggregation', 'constant'] as const

/** One example a sequence, as the trainers build them, through the loss and summed. */
export function policyBatch(
  golden: GoldenCase,
  advantages: (number | FloatArray)[],
  loss: PureLoss<PolicyExample>,
  importanceWeights?: FloatArray[],
): Computed {
  const { inputs } = golden
  const logprobs = golden.rows('logprobs')
  const old = inputs.oldLogprobs && golden.rows('oldLogprobs')
  const reference = inputs.refLogprobs && golden.rows('refLogprobs')
  const examples = sequencesOf(logprobs).map((sequence, s) => ({
    sequences: [sequence],
    masks: [inputs.mask[s]],
    advantages: [advantages[s]!],
    ...(old && { oldLogprobs: [old[s]] }),
    ...(reference && { referenceLogprobs: [reference[s]] }),
    ...(importanceWeights && { importanceWeights: [importanceWeights[s]!] }),
  }))
  const result = batchLoss(
    loss,
    examples,
    logprobs.map((row) => [{ logprobs: row }]),
  )
  return {
    ...result.metrics,
    loss: result.loss,
    gradient: result.gradients.map((gradient) => gradient.logprobs),
  }
}

function groupAdvantages({ config, inputs }: GoldenCase): Float64Array {
  return groupNormalised(options(config, ['normalise', 'epsilon']), inputs.rewards, inputs.groups)
}

/** Advantages of the case as they are: one number a sequence, or one a token. */
export function givenAdvantages({ inputs, rows }: GoldenCase): (number | FloatArray)[] {
  return typeof inputs.advantages?.[0] === 'number' ? inputs.advantages : rows('advantages')
}

export const ppoClip: Adapter = (golden) => {
  const given = options(golden.config, [...clipNames, 'dualClip', ...aggregationNames])
  return policyBatch(
    golden,
    givenAdvantages(golden),
    algorithm('ppo').build(given, tokenTotals(golden.inputs.mask)),
  )
}

const groupRelative =
  (id: 'grpo' | 'cispo'): Adapter =>
  (golden) => {
    const advantages = groupAdvantages(golden)
    const totals = tokenTotals(golden.inputs.mask)
    const names = [...clipNames, 'klCoefficient', 'klEstimator', ...aggregationNames] as const
    const loss = algorithm(id).build(options(golden.config, names), totals)
    return { ...policyBatch(golden, [...advantages], loss), advantages }
  }
export const grpo = groupRelative('grpo')
export const cispo = groupRelative('cispo')

export const drGrpo: Adapter = (golden) => {
  const advantages = groupNormalised({ normalise: 'none' }, golden.inputs.rewards, golden.inputs.groups)
  const given = options(golden.config, ['constant', ...clipNames, 'klCoefficient', 'klEstimator'])
  const loss = algorithm('dr-grpo').build(given, tokenTotals(golden.inputs.mask))
  return { ...policyBatch(golden, [...advantages], loss), advantages }
}

export const dapo: Adapter = (golden) => {
  const { config, inputs } = golden
  const kept = keptGroups(inputs.rewards, inputs.groups)
  const trains = (i: number) => !config.dynamicSampling || kept.includes(inputs.groups[i])
  const keep = inputs.groups.map((_: number, i: number) => i).filter(trains) as number[]
  const pick = <T>(rows: ArrayLike<T>) => keep.map((i) => rows[i]!)
  const advantages = groupAdvantages(golden).map((a, i) => (trains(i) ? a : 0))
  const given = options(config, [...clipNames, 'dualClip'])
  if (keep.length === 0) {
    const gradient = golden.rows('logprobs').map((row) => new Float64Array(row.length))
    return { loss: 0, gradient, advantages, keptGroups: kept }
  }
  const totals = tokenTotals(pick(inputs.mask))
  const globalTotals = { ...totals, tokens: config.globalTokens ?? totals.tokens }
  const subset: GoldenCase = {
    ...golden,
    inputs: { ...inputs, mask: pick(inputs.mask) },
    rows: (name) => pick(golden.rows(name)),
  }
  const trained = policyBatch(subset, pick(advantages), algorithm('dapo').build(given, globalTotals))
  // Metrics are shares of the batch at hand, also where the divisor of the loss counts an accumulated one.
  const local = policyBatch(subset, pick(advantages), algorithm('dapo').build(given, totals))
  const gradient = golden.rows('logprobs').map((row): FloatArray => new Float64Array(row.length))
  keep.forEach((i, k) => {
    gradient[i] = (trained.gradient as FloatArray[])[k]!
  })
  return { ...local, loss: trained.loss, gradient, advantages, keptGroups: kept }
}

export const gspoSequence: Adapter = (golden) => {
  const { inputs, config } = golden
  const given = inputs.advantages !== undefined
  const advantages = given ? givenAdvantages(golden) : [...groupAdvantages(golden)]
  const loss = algorithm('gspo-sequence').build(
    options(config, ['form', ...clipNames]),
    tokenTotals(inputs.mask),
  )
  return {
    ...policyBatch(golden, advantages, loss),
    sequenceRatios: sequenceRatios(golden, advantages, loss),
    ...(!given && { advantages }),
  }
}

export const rloo: Adapter = (golden) => {
  const { inputs, config } = golden
  const beta = config.klCoefficient ?? 0
  const old = beta > 0 ? golden.rows('oldLogprobs') : null
  const reference = beta > 0 ? golden.rows('refLogprobs') : null
  const shapedRewards = inputs.rewards.map((reward: number, s: number) => {
    if (!old || !reference) return reward
    return reward - beta * sequenceLogRatio('rloo', s, old[s]!, reference[s], inputs.mask[s]).h
  })
  const advantages = leaveOneOut(shapedRewards, inputs.groups)
  const loss = algorithm('rloo').build(options(config, ['form', ...clipNames]), tokenTotals(inputs.mask))
  const ratio = config.form === 'sequence-ratio' && {
    sequenceRatios: sequenceRatios(golden, [...advantages], loss),
  }
  return { ...policyBatch(golden, [...advantages], loss), advantages, shapedRewards, ...ratio }
}

/** A sequence alone reports its own ratio as both extremes. */
function sequenceRatios(
  golden: GoldenCase,
  advantages: (number | FloatArray)[],
  loss: PureLoss<PolicyExample>,
) {
  return advantages.map((advantage, s) => {
    const alone = {
      ...golden,
      inputs: { ...golden.inputs, mask: [golden.inputs.mask[s]] },
      rows: (name: string) => [golden.rows(name)[s]!],
    }
    return policyBatch(alone, [advantage], loss).ratioMax
  })
}
