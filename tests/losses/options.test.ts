import { describe, expect, it } from 'vitest'
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
import { registry, tokenTotals } from '../../src/losses/index.ts'
import type { OptionSpecs } from '../../src/losses/options.ts'
import { trustRegionOptions, trustRegionStep } from '../../src/losses/trust-region-step.ts'
import { adaptiveKlOptions, adaptKlCoefficient } from '../../src/rewards/adaptive-kl.ts'
import { klInReward, klInRewardOptions } from '../../src/rewards/kl-in-reward.ts'
import {
  linearLengthPenalty,
  linearLengthPenaltyOptions,
  softOverlongOptions,
  softOverlongPenalty,
} from '../../src/rewards/length-penalty.ts'

const batch = { ...randomBatch(seededRandom(21), 6), advantages: [1.2, 0.7, -0.8, -1.5, 0.3, -0.4] }
const everything = {
  sequences: batch.sequences,
  masks: batch.masks,
  advantages: batch.advantages,
  oldLogprobs: batch.oldLogprobs,
  referenceLogprobs: batch.referenceLogprobs,
  oldValues: batch.oldValues,
  returns: batch.returns,
  scores: batch.advantages,
  labels: batch.masks.map((mask) => Array.from(mask, (m) => (m ? 1 : -100))),
}
const pair = {
  ...everything,
  sequences: batch.sequences.slice(0, 2),
  masks: batch.masks.slice(0, 2),
  referenceLogprobs: batch.referenceLogprobs.slice(0, 2),
}
// Far enough from the old policy that every clip bites somewhere.
const far = batch.outputs.map((output, s) => ({
  ...output,
  logprobs: output.logprobs.map((l, t) => l + (s % 2 === (t % 3 === 2 ? 1 : 0) ? 0.9 : -0.6)),
}))
const trajectories = batch.masks.map((mask, s) => ({
  mask,
  rewards: batch.tokenRewards[s]!,
  values: batch.oldValues[s]!,
}))
const groups = [0, 0, 0, 1, 1, 1]

type Run = (options: Record<string, unknown>) => unknown
type Build = (
  options: object,
  totals: object,
) => (example: object, outputs: object[]) => { loss: number; gradients: unknown }

const policyTotals = tokenTotals(batch.masks)
const counts: Record<string, object> = {
  dpo: { pairs: 1 },
  ipo: { pairs: 1 },
  'reward-bradley-terry': { pairs: 1 },
  'process-reward': { labelledTokens: policyTotals.tokens },
  'gspo-pairs': { groups: 2, pairs: 9 },
  'gdpo-contrast': { groups: 1 },
  'gdpo-listwise': { groups: 1 },
}
const lossRun =
  (id: keyof typeof registry): Run =>
  (options) => {
    const { build } = registry[id] as unknown as { build: Build }
    const twoSequences = ['dpo', 'ipo', 'reward-bradley-terry'].includes(id)
    const loss = build(options, counts[id] ?? policyTotals)
    const { loss: value, gradients } = loss(
      twoSequences ? pair : everything,
      twoSequences ? far.slice(0, 2) : far,
    )
    return { value, gradients }
  }

/** What runs, its options, and for each option a setting of the others under which two values must differ. */
interface Subject {
  specs: OptionSpecs
  run: Run
  effects: Record<string, [object, object]>
}

const clip: Subject['effects'] = {
  clipLow: [{ clipLow: 0.1 }, { clipLow: 0.3 }],
  clipHigh: [{ clipHigh: 0.1 }, { clipHigh: 0.4 }],
}
const dualClip: Subject['effects'] = { dualClip: [{ dualClip: null }, { dualClip: 1.2 }] }
const kl: Subject['effects'] = {
  klCoefficient: [{ klCoefficient: 0 }, { klCoefficient: 0.1 }],
  klEstimator: [
    { klCoefficient: 0.1, klEstimator: 'k2' },
    { klCoefficient: 0.1, klEstimator: 'k3' },
  ],
}
const aggregation: Subject['effects'] = {
  aggregation: [{ aggregation: 'token-mean' }, { aggregation: 'sequence-mean-token-mean' }],
  constant: [
    { aggregation: 'constant', constant: 8 },
    { aggregation: 'constant', constant: 9 },
  ],
}
const beta: Subject['effects'] = { beta: [{ beta: 0.1 }, { beta: 0.2 }] }
const lengthNormalised: Subject['effects'] = {
  lengthNormalised: [{ lengthNormalised: false }, { lengthNormalised: true }],
}
const lossEffects: Record<string, Subject['effects']> = {
  sft: aggregation,
  mlm: {},
  dpo: { ...beta, ...lengthNormalised, labelSmoothing: [{ labelSmoothing: 0 }, { labelSmoothing: 0.1 }] },
  ipo: { ...beta, ...lengthNormalised },
  'reward-bradley-terry': { centringCoefficient: [{ centringCoefficient: 0 }, { centringCoefficient: 0.1 }] },
  'process-reward': {},
  ppo: {
    ...clip,
    ...dualClip,
    ...aggregation,
    valueCoefficient: [{ valueCoefficient: 0 }, { valueCoefficient: 0.5 }],
    valueClip: [
      { valueCoefficient: 1, valueClip: null },
      { valueCoefficient: 1, valueClip: 0.1 },
    ],
    entropyCoefficient: [{ entropyCoefficient: 0 }, { entropyCoefficient: 0.01 }],
  },
  grpo: { ...clip, ...dualClip, ...kl, ...aggregation },
  'dr-grpo': { ...clip, ...dualClip, ...kl, constant: [{ constant: 16 }, { constant: 32 }] },
  dapo: { ...clip, ...dualClip, ...aggregation },
  cispo: { ...clip, ...kl, ...aggregation },
  rloo: {
    form: [{ form: 'reinforce' }, { form: 'sequence-ratio' }],
    clipLow: [
      { form: 'sequence-ratio', clipLow: 0.01 },
      { form: 'sequence-ratio', clipLow: 0.9 },
    ],
    clipHigh: [
      { form: 'sequence-ratio', clipHigh: 0.01 },
      { form: 'sequence-ratio', clipHigh: 20 },
    ],
  },
  reinforce: aggregation,
  'reinforce-plus-plus': { ...clip, ...dualClip, ...kl, ...aggregation },
  'gspo-sequence': {
    clipLow: [{ clipLow: 0.01 }, { clipLow: 0.9 }],
    clipHigh: [{ clipHigh: 0.01 }, { clipHigh: 20 }],
  },
  'gspo-pairs': {
    ...beta,
    margin: [{ margin: 0 }, { margin: 1 }],
    weighting: [{ weighting: 'uniform' }, { weighting: 'score-gap' }],
    groupReduction: [{ groupReduction: 'groups' }, { groupReduction: 'pairs' }],
  },
  'gdpo-contrast': beta,
  'gdpo-listwise': beta,
}

const weightRun =
  (id: keyof typeof registry): Run =>
  (options) =>
    (registry[id] as unknown as { weigh(o: object, b: object): { weights: unknown } }).weigh(options, batch)
      .weights
const bounds: Subject['effects'] = {
  lower: [{ lower: null }, { lower: 0.9 }],
  upper: [{ upper: 1.1 }, { upper: null }],
}

const subjects: Record<string, Subject> = {}
for (const [id, entry] of Object.entries(registry)) {
  const name = id as keyof typeof registry
  if (entry.kind === 'loss') {
    subjects[id] = { specs: entry.options, run: lossRun(name), effects: lossEffects[id] ?? {} }
  } else if (entry.kind === 'weights') {
    subjects[id] = { specs: entry.options, run: weightRun(name), effects: bounds }
  }
}
const whitenEpsilon: [object, object] = [{ whitenEpsilon: 1e-8 }, { whitenEpsilon: 0.5 }]
const epsilon: Subject['effects'] = { epsilon: [{ epsilon: 0 }, { epsilon: 0.1 }] }
Object.assign(subjects, {
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
} satisfies Record<string, Subject>)
subjects['gspo-sequence']!.specs = { ...subjects['gspo-sequence']!.specs }
delete (subjects['gspo-sequence']!.specs as Record<string, unknown>).form

for (const [name, { specs, run, effects }] of Object.entries(subjects)) {
  describe(name, () => {
    it('every option is tested', () => {
      expect(Object.keys(effects).sort()).toEqual(Object.keys(specs).sort())
    })

    for (const [option, [one, other]] of Object.entries(effects)) {
      it(`${option} changes the outcome`, () => {
        expect(run({ ...one })).not.toEqual(run({ ...other }))
      })
      for (const wrong of [Number.NaN, Infinity, -1e9, 'nonsense']) {
        it(`${option} refuses ${wrong}, stating what is allowed`, () => {
          expect(() => run({ ...one, [option]: wrong })).toThrow(RangeError)
          expect(() => run({ ...one, [option]: wrong })).toThrow(
            new RegExp(`${option} must be .*${specs[option]!.values.replace(/[[\]()|]/g, '\\$&')}.*got`),
          )
        })
      }
    }

    it('an unknown option is refused, with the known ones listed', () => {
      expect(() => run({ temprature: 1 })).toThrow(/unknown option "temprature"; its options are: /)
    })
  })
}

describe('gspo-sequence', () => {
  it('form token admits advantages a token, form sequence refuses them', () => {
    const { build } = registry['gspo-sequence']
    const perToken = { ...everything, advantages: batch.tokenAdvantages }
    expect(() => build({ form: 'sequence' }, policyTotals)(perToken, far)).toThrow(/one advantage a sequence/)
    expect(build({ form: 'token' }, policyTotals)(perToken, far).loss).toBeTypeOf('number')
    expect(() => build({ form: 'both' as 'token' }, policyTotals)).toThrow(
      /form must be sequence \| token, got "both"/,
    )
  })
})

describe('k1 inside a loss', () => {
  for (const id of ['grpo', 'dr-grpo', 'cispo', 'reinforce-plus-plus'] as const) {
    it(`${id} refuses it and says why`, () => {
      expect(() => registry[id].build({ klEstimator: 'k1' as 'k2' }, policyTotals)).toThrow(
        /klEstimator must be k2 \| k3 \| k3\+, got "k1": k1 has zero expected gradient/,
      )
    })
  }
})
