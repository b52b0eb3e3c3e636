import {
  gae,
  gdpoDecoupled,
  groupNormalised,
  leaveOneOut,
  reinforceAdvantages,
  reinforcePlusPlusAdvantages,
} from '../../src/advantages/index.ts'
import type { Example, FloatArray } from '../../src/engine/contract.ts'
import {
  type AlgorithmId,
  algorithm,
  batchLoss,
  klLoss,
  type PolicyExample,
  type PureLoss,
  preferencePairs,
  tokenTotals,
} from '../../src/losses/index.ts'
import type { GradientPoint, Outputs } from './central-difference.ts'
import { type RandomBatch, randomBatch } from './random-batch.ts'

/** A point of the batch under a loss. `stopped` replaces the loss as the function to be differentiated. */
function point<E extends Example>(
  loss: PureLoss<E>,
  examples: E[],
  flat: RandomBatch['outputs'],
  stopped?: (outputs: Outputs) => number,
): GradientPoint {
  let next = 0
  const outputs = examples.map((example) => example.sequences.map(() => flat[next++]!))
  const { loss: centre, gradients } = batchLoss(loss, examples, outputs)
  let taken = 0
  return {
    outputs,
    loss: centre,
    gradients: examples.map((example) => example.sequences.map(() => gradients[taken++]!)),
    value: stopped ?? ((moved) => batchLoss(loss, examples, moved).loss),
  }
}

/** One example a sequence. */
function policyExamples(
  batch: RandomBatch,
  advantages: (number | FloatArray)[],
  importance?: FloatArray[],
): (PolicyExample & { referenceLogprobs: FloatArray[] })[] {
  return batch.sequences.map((sequence, s) => ({
    sequences: [sequence],
    masks: [batch.masks[s]!],
    advantages: [advantages[s]!],
    oldLogprobs: [batch.oldLogprobs[s]!],
    referenceLogprobs: [batch.referenceLogprobs[s]!],
    ...(importance && { importanceWeights: [importance[s]!] }),
  }))
}

const twoGroups = [0, 0, 0, 1, 1, 1]
const size = twoGroups.length

function pairs(batch: RandomBatch) {
  return [0, 2, 4].map((first) => ({
    sequences: batch.sequences.slice(first, first + 2),
    masks: batch.masks.slice(first, first + 2),
    referenceLogprobs: batch.referenceLogprobs.slice(first, first + 2),
    margin: 0.3,
  }))
}

function groups(batch: RandomBatch) {
  return [0, 3].map((first) => ({
    sequences: batch.sequences.slice(first, first + 3),
    masks: batch.masks.slice(first, first + 3),
    referenceLogprobs: batch.referenceLogprobs.slice(first, first + 3),
    scores: batch.advantages.slice(first, first + 3),
  }))
}

/** `-sum of weight(t)*l` over trained tokens, the weights held at the point: what CISPO's stop leaves. */
function weighted(batch: RandomBatch, weight: (s: number, t: number) => number) {
  const held = batch.masks.map((mask, s) => Float64Array.from(mask, (m, t) => (m ? weight(s, t) : 0)))
  return (moved: Outputs) =>
    -held.reduce(
      (sum, row, s) => sum + row.reduce((total, w, t) => total + w * moved[s]![0]!.logprobs[t]!, 0),
      0,
    )
}

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

/** GSPO-token with its stops held at the point: s_t = s(point)*exp(l - l(point)). */
function gspoTokenFrozen(batch: RandomBatch) {
  const held = batch.outputs.map(({ logprobs }) => Float64Array.from(logprobs))
  const ratios = held.map((row, s) => {
    const trained = [...row.keys()].filter((t) => batch.masks[s]![t] === 1)
    return Math.exp(trained.reduce((sum, t) => sum + row[t]! - batch.oldLogprobs[s]![t]!, 0) / trained.length)
  })
  return (moved: Outputs) => {
    let loss = 0
    batch.masks.forEach((mask, s) => {
      const tokens = mask.reduce((sum, m) => sum + m, 0)
      mask.forEach((m, t) => {
        if (m === 0) return
        const ratio = ratios[s]! * Math.exp(moved[s]![0]!.logprobs[t]! - held[s]![t]!)
        const advantage = batch.tokenAdvantages[s]![t]!
        loss -= Math.min(ratio * advantage, Math.min(Math.max(ratio, 0.9), 1.1) * advantage) / (size * tokens)
      })
    })
    return loss
  }
}

export const gradientChecks: [string, Check][] = Object.entries({ ...byId, ...otherForms })

export const drawBatch = (random: () => number): RandomBatch => randomBatch(random, size)
