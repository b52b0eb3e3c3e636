import { centred, hasSpread } from '../../src/losses/group-preference-loss.ts'
import {
  algorithm,
  batchLoss,
  type PureLoss,
  preferencePairs,
  type ScoredGroup,
} from '../../src/losses/index.ts'
import { sequenceLogRatio } from '../../src/losses/sequence-log-ratio.ts'
import {
  type Adapter,
  type Computed,
  type GoldenCase,
  groupIndices,
  options,
  sequencesOf,
} from './golden-case.ts'

export const dpo: Adapter = ({ inputs, config, rows }) => {
  const chosen = rows('chosenLogprobs')
  const rejected = rows('rejectedLogprobs')
  const [chosenReference, rejectedReference] = [
    rows('chosenReferenceLogprobs'),
    rows('rejectedReferenceLogprobs'),
  ]
  const examples = chosen.map((row, i) => ({
    sequences: sequencesOf([row, rejected[i]!]),
    masks: [inputs.chosenMask[i], inputs.rejectedMask[i]],
    referenceLogprobs: [chosenReference[i]!, rejectedReference[i]!],
  }))
  const outputs = chosen.map((row, i) => [{ logprobs: row }, { logprobs: rejected[i]! }])
  const build = (pairs: number) => {
    if (config.loss === 'dpo') {
      return algorithm('dpo').build(options(config, ['beta', 'labelSmoothing', 'lengthNormalised']), {
        pairs,
      })
    }
    if (config.loss !== 'ipo') throw new Error(`unknown loss ${config.loss}`)
    if (config.labelSmoothing) throw new Error('ipo has no label smoothing')
    return algorithm('ipo').build(options(config, ['beta', 'lengthNormalised']), { pairs })
  }
  const { loss, gradients, metrics } = batchLoss(build(chosen.length), examples, outputs)
  const alone = examples.map((example, i) => build(1)(example, outputs[i]!).metrics)
  return {
    ...metrics,
    loss,
    gradient: {
      chosen: gradients.filter((_, i) => i % 2 === 0).map((gradient) => gradient.logprobs),
      rejected: gradients.filter((_, i) => i % 2 === 1).map((gradient) => gradient.logprobs),
    },
    chosenRewards: alone.map((metric) => metric.chosenReward),
    rejectedRewards: alone.map((metric) => metric.rejectedReward),
  }
}

/** A group preference loss over all groups of a case; `signal` says which groups the batch's mean counts. */
function groupPreference(
  golden: GoldenCase,
  signal: (scores: number[]) => boolean,
  build: (groups: number) => PureLoss<ScoredGroup>,
): Computed {
  const { inputs } = golden
  const [logprobs, reference] = [golden.rows('logprobs'), golden.rows('refLogprobs')]
  const groups = groupIndices(inputs.groups)
  const examples = groups.map((members) => ({
    sequences: sequencesOf(members.map((i) => logprobs[i]!)),
    masks: members.map((i) => inputs.mask[i]),
    referenceLogprobs: members.map((i) => reference[i]!),
    scores: members.map((i) => inputs.scores[i] as number),
  }))
  const outputs = groups.map((members) => members.map((i) => ({ logprobs: logprobs[i]! })))
  const counted = examples.filter(({ scores }) => signal(scores)).length
  const gradient: (ArrayLike<number> | undefined)[] = logprobs.map((row) => new Float64Array(row.length))
  const h = logprobs.map((row, i) => sequenceLogRatio('h', i, row, reference[i], inputs.mask[i]).h)
  if (counted === 0) return { h, gradient, loss: 0, groupLosses: examples.map(() => null) }
  const result = batchLoss(build(counted), examples, outputs)
  groups.flat().forEach((i, k) => {
    gradient[i] = result.gradients[k]!.logprobs
  })
  return {
    h,
    gradient,
    loss: result.loss,
    groupLosses: examples.map((example, g) =>
      signal(example.scores) ? build(1)(example, outputs[g]!).loss : null,
    ),
  }
}

export const gspoPairs: Adapter = (golden) => {
  const { inputs, config } = golden
  const margin = config.margin ?? 0
  const pairs = groupIndices(inputs.groups).flatMap((members) =>
    preferencePairs(
      members.map((i) => inputs.scores[i]),
      margin,
    ).map((pair) => pair.map((k) => members[k]!)),
  )
  const given = options(config, ['beta', 'margin', 'weighting', 'groupReduction'])
  const hasPairs = (scores: number[]) => preferencePairs(scores, margin).length > 0
  const computed = groupPreference(golden, hasPairs, (groups) =>
    algorithm('gspo-pairs').build(given, { groups, pairs: pairs.length }),
  )
  if (config.groupReduction === 'pairs' && computed.groupLosses) {
    // Alone, a group's loss is the mean over its own pairs.
    const own = groupPreference(golden, hasPairs, (groups) =>
      algorithm('gspo-pairs').build({ ...given, groupReduction: 'groups' }, { groups, pairs: 1 }),
    )
    computed.groupLosses = own.groupLosses
  }
  return { ...computed, pairs }
}

/** Scores minus their group's mean, in the order of the sequences. */
function centredByGroup(scores: number[], groups: number[]): number[] {
  const result = [...scores]
  for (const members of groupIndices(groups)) {
    const own = centred(Float64Array.from(members, (i) => scores[i]!))
    members.forEach((i, k) => {
      result[i] = own[k]!
    })
  }
  return result
}

export const gdpoContrast: Adapter = (golden) => {
  const { inputs, config } = golden
  const given = options(config, ['beta'])
  const build = (groups: number) => algorithm('gdpo-contrast').build(given, { groups })
  return {
    ...groupPreference(golden, hasSpread, build),
    centredScores: centredByGroup(inputs.scores, inputs.groups),
  }
}

export const gdpoListwise: Adapter = (golden) => {
  const { inputs, config } = golden
  const given = options(config, ['beta'])
  const build = (groups: number) => algorithm('gdpo-listwise').build(given, { groups })
  const winners = centredByGroup(inputs.scores, inputs.groups).map((a) => a > 0)
  return { ...groupPreference(golden, hasSpread, build), winners }
}
