import {
  gae,
  gdpoDecoupled,
  groupNormalised,
  leaveOneOut,
  reinforceAdvantages,
  reinforcePlusPlusAdvantages,
} from '../../src/advantages/index.ts'
import {
  type AlgorithmId,
  algorithm,
  batchLoss,
  klLoss,
  preferencePairs,
  tokenTotals,
} from '../../src/losses/index.ts'
import type { GradientPoint } from './central-difference.ts'
import { groups, pairs, point, policyExamples, size, twoGroups } from './points.ts'
import { type RandomBatch, randomBatch } from './random-batch.ts'
import { gspoTokenFrozen, weighted } from './stopped.ts'

type Check = (batch: RandomBatch) => GradientPoint
const clips = { clipLow: 0.2, clipHigh: 0.28 }

const importance =
  (id: 'is-token-truncate' | 'is-token-mask' | 'is-sequence-truncate' | 'is-sequence-mask'): Check =>
  (batch) => {
    const { weights } = algorithm(id).weigh({ upper: 1.5 }, batch)
    const loss = algorithm('ppo').build(clips, tokenTotals(batch.masks))
    return point(loss, policyExamples(batch, batch.tokenAdvantages, weights), batch.outputs)
  }

const kl =
  (estimator: 'k1' | 'k2' | 'k3'): Check =>
  (batch) =>
    point(klLoss(estimator, tokenTotals(batch.masks)), policyExamples(batch, batch.advantages), batch.outputs)

/** Every id of the registry; advantages and importance weights are checked through the loss that reads them. */
const byId: Record<AlgorithmId, Check> = {
  sft: (batch) =>
    point(
      algorithm('sft').build({}, tokenTotals(batch.masks)),
      policyExamples(batch, batch.advantages),
      batch.outputs,
    ),
  mlm: (batch) =>
    point(
      algorithm('mlm').build({}, tokenTotals(batch.masks)),
      policyExamples(batch, batch.advantages),
      batch.outputs,
    ),
  dpo: (batch) =>
    point(algorithm('dpo').build({ labelSmoothing: 0.1 }, { pairs: 3 }), pairs(batch), batch.outputs),
  ipo: (batch) => point(algorithm('ipo').build({ beta: 0.4 }, { pairs: 3 }), pairs(batch), batch.outputs),
  'reward-bradley-terry': (batch) =>
    point(
      algorithm('reward-bradley-terry').build({ centringCoefficient: 0.05 }, { pairs: 3 }),
      pairs(batch),
      batch.outputs,
    ),
  'process-reward': (batch) => {
    const labels = batch.masks.map((mask) => Array.from(mask, (m, t) => (m ? t % 2 : -100)))
    const labelledTokens = tokenTotals(batch.masks).tokens
    const examples = batch.sequences.map((sequence, s) => ({ sequences: [sequence], labels: [labels[s]!] }))
    return point(algorithm('process-reward').build({}, { labelledTokens }), examples, batch.outputs)
  },
  ppo: (batch) => {
    const options = {
      ...clips,
      dualClip: 1.4,
      valueCoefficient: 0.5,
      valueClip: 0.2,
      entropyCoefficient: 0.01,
    }
    const examples = policyExamples(batch, batch.tokenAdvantages).map((example, s) => ({
      ...example,
      oldValues: [batch.oldValues[s]!],
      returns: [batch.returns[s]!],
    }))
    return point(algorithm('ppo').build(options, tokenTotals(batch.masks)), examples, batch.outputs)
  },
  grpo: (batch) => {
    const advantages = groupNormalised({}, batch.rewards, twoGroups)
    const loss = algorithm('grpo').build({ klCoefficient: 0.04 }, tokenTotals(batch.masks))
    return point(loss, policyExamples(batch, [...advantages]), batch.outputs)
  },
  'dr-grpo': (batch) => {
    const loss = algorithm('dr-grpo').build({ constant: 16, klCoefficient: 0.1 }, tokenTotals(batch.masks))
    return point(loss, policyExamples(batch, batch.advantages), batch.outputs)
  },
  dapo: (batch) =>
    point(
      algorithm('dapo').build({}, tokenTotals(batch.masks)),
      policyExamples(batch, batch.advantages),
      batch.outputs,
    ),
  cispo: (batch) => {
    const totals = tokenTotals(batch.masks)
    const frozen = weighted(batch, (s, t) => {
      const ratio = Math.exp(batch.outputs[s]!.logprobs[t]! - batch.oldLogprobs[s]![t]!)
      return (Math.min(Math.max(ratio, 0.8), 1.28) * batch.advantages[s]!) / totals.tokens
    })
    return point(
      algorithm('cispo').build(clips, totals),
      policyExamples(batch, batch.advantages),
      batch.outputs,
      frozen,
    )
  },
  rloo: (batch) => {
    const advantages = leaveOneOut(batch.advantages, twoGroups)
    const loss = algorithm('rloo').build({ form: 'sequence-ratio' }, tokenTotals(batch.masks))
    return point(loss, policyExamples(batch, [...advantages]), batch.outputs)
  },
  reinforce: (batch) => {
    const advantages = reinforceAdvantages({}, batch.advantages)
    const loss = algorithm('reinforce').build({}, tokenTotals(batch.masks))
    return point(loss, policyExamples(batch, [...advantages]), batch.outputs)
  },
  'reinforce-plus-plus': (batch) => {
    const trajectories = batch.masks.map((mask, s) => ({ mask, rewards: batch.tokenRewards[s]! }))
    const { advantages } = reinforcePlusPlusAdvantages({}, trajectories)
    const loss = algorithm('reinforce-plus-plus').build({ klCoefficient: 0.01 }, tokenTotals(batch.masks))
    return point(loss, policyExamples(batch, advantages), batch.outputs)
  },
  'gspo-sequence': (batch) => {
    const loss = algorithm('gspo-sequence').build({ clipLow: 0.1, clipHigh: 0.1 }, tokenTotals(batch.masks))
    return point(loss, policyExamples(batch, batch.advantages), batch.outputs)
  },
  'gspo-pairs': (batch) => {
    const examples = groups(batch)
    const count = examples.reduce((sum, { scores }) => sum + preferencePairs(scores).length, 0)
    const loss = algorithm('gspo-pairs').build({ weighting: 'score-gap' }, { groups: 2, pairs: count })
    return point(loss, examples, batch.outputs)
  },
  'gdpo-contrast': (batch) =>
    point(algorithm('gdpo-contrast').build({}, { groups: 2 }), groups(batch), batch.outputs),
  'gdpo-listwise': (batch) =>
    point(algorithm('gdpo-listwise').build({}, { groups: 2 }), groups(batch), batch.outputs),
  'gdpo-decoupled': (batch) => {
    const rewards = batch.rewards.map((reward, i) => [reward, batch.advantages[i]!])
    const { advantages } = gdpoDecoupled({}, rewards, [1, 0.5], twoGroups)
    const loss = algorithm('grpo').build({}, tokenTotals(batch.masks))
    return point(loss, policyExamples(batch, [...advantages]), batch.outputs)
  },
  gae: (batch) => {
    const trajectories = batch.masks.map((mask, s) => ({
      mask,
      rewards: batch.tokenRewards[s]!,
      values: batch.oldValues[s]!,
    }))
    const { advantages, returns } = gae({}, trajectories)
    const examples = policyExamples(batch, advantages).map((example, s) => ({
      ...example,
      oldValues: [batch.oldValues[s]!],
      returns: [returns[s]!],
    }))
    return point(
      algorithm('ppo').build({ valueCoefficient: 1 }, tokenTotals(batch.masks)),
      examples,
      batch.outputs,
    )
  },
  'kl-k1': kl('k1'),
  'kl-k2': kl('k2'),
  'kl-k3': kl('k3'),
  'is-token-truncate': importance('is-token-truncate'),
  'is-token-mask': importance('is-token-mask'),
  'is-sequence-truncate': importance('is-sequence-truncate'),
  'is-sequence-mask': importance('is-sequence-mask'),
}

/** Second forms of an id whose gradient takes another path. */
const otherForms: Record<string, Check> = {
  'dpo, length-normalised': (batch) =>
    point(algorithm('dpo').build({ lengthNormalised: true }, { pairs: 3 }), pairs(batch), batch.outputs),
  'rloo, reinforce form': (batch) =>
    point(
      algorithm('rloo').build({}, tokenTotals(batch.masks)),
      policyExamples(batch, batch.advantages),
      batch.outputs,
    ),
  'gspo-sequence, token form': (batch) => {
    const totals = tokenTotals(batch.masks)
    const loss = algorithm('gspo-sequence').build({ form: 'token', clipLow: 0.1, clipHigh: 0.1 }, totals)
    return point(loss, policyExamples(batch, batch.tokenAdvantages), batch.outputs, gspoTokenFrozen(batch))
  },
  'kl-k3, straight-through': (batch) => {
    const totals = tokenTotals(batch.masks)
    const examples = policyExamples(batch, batch.advantages)
    const k2 = klLoss('k2', totals)
    // The gradient of k3+ is k2's by definition.
    return point(
      klLoss('k3+', totals),
      examples,
      batch.outputs,
      (moved) => batchLoss(k2, examples, moved).loss,
    )
  },
}

export const gradientChecks: [string, Check][] = Object.entries({ ...byId, ...otherForms })

export const drawBatch = (random: () => number): RandomBatch => randomBatch(random, size)
