import { describe, expect, it } from 'vitest'
import { randomBatch, seededRandom } from '../../scripts/gradcheck/random-batch.ts'
import { registry, tokenTotals } from '../../src/losses/index.ts'
import { valueLoss, valueLossOptions } from '../../src/losses/value-loss.ts'
import { describeOptions, type OptionSubject } from './describe-options.ts'

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
type Run = (options: object) => unknown
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

const clip: OptionSubject['effects'] = {
  clipLow: [{ clipLow: 0.1 }, { clipLow: 0.3 }],
  clipHigh: [{ clipHigh: 0.1 }, { clipHigh: 0.4 }],
}
const dualClip: OptionSubject['effects'] = { dualClip: [{ dualClip: null }, { dualClip: 1.2 }] }
const kl: OptionSubject['effects'] = {
  klCoefficient: [{ klCoefficient: 0 }, { klCoefficient: 0.1 }],
  klEstimator: [
    { klCoefficient: 0.1, klEstimator: 'k2' },
    { klCoefficient: 0.1, klEstimator: 'k3' },
  ],
}
const aggregation: OptionSubject['effects'] = {
  aggregation: [{ aggregation: 'token-mean' }, { aggregation: 'sequence-mean-token-mean' }],
  constant: [
    { aggregation: 'constant', constant: 8 },
    { aggregation: 'constant', constant: 9 },
  ],
}
const beta: OptionSubject['effects'] = { beta: [{ beta: 0.1 }, { beta: 0.2 }] }
const lengthNormalised: OptionSubject['effects'] = {
  lengthNormalised: [{ lengthNormalised: false }, { lengthNormalised: true }],
}
const lossEffects: Record<string, OptionSubject['effects']> = {
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
const bounds: OptionSubject['effects'] = {
  lower: [{ lower: null }, { lower: 0.9 }],
  upper: [{ upper: 1.1 }, { upper: null }],
}

const subjects: Record<string, OptionSubject> = {}
for (const [id, entry] of Object.entries(registry)) {
  const name = id as keyof typeof registry
  if (entry.kind === 'loss') {
    subjects[id] = { specs: entry.options, run: lossRun(name), effects: lossEffects[id] ?? {} }
  } else if (entry.kind === 'weights') {
    subjects[id] = { specs: entry.options, run: weightRun(name), effects: bounds }
  }
}
subjects.value = {
  specs: valueLossOptions,
  run: (options) => valueLoss(options, policyTotals)(everything, far),
  effects: { ...aggregation, clip: [{ clip: null }, { clip: 0.1 }] },
}
subjects['gspo-sequence']!.specs = { ...subjects['gspo-sequence']!.specs }
delete (subjects['gspo-sequence']!.specs as Record<string, unknown>).form

for (const [name, subject] of Object.entries(subjects)) describeOptions(name, subject)

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
