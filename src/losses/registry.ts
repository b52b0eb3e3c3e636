import { cispo, cispoOptions } from './cispo.ts'
import { dapo, dapoOptions } from './dapo.ts'
import { dpo, dpoOptions } from './dpo.ts'
import { drGrpo, drGrpoOptions } from './dr-grpo.ts'
import { gdpoContrast, gdpoContrastOptions } from './gdpo-contrast.ts'
import { gdpoListwise, gdpoListwiseOptions } from './gdpo-listwise.ts'
import { grpo, grpoOptions } from './grpo.ts'
import { gspoPairs, gspoPairsOptions } from './gspo-pairs.ts'
import { gspoSequence, gspoSequenceOptions } from './gspo-sequence.ts'
import { ipo, ipoOptions } from './ipo.ts'
import { isSequenceMask, isSequenceMaskOptions } from './is-sequence-mask.ts'
import { isSequenceTruncate, isSequenceTruncateOptions } from './is-sequence-truncate.ts'
import { isTokenMask, isTokenMaskOptions } from './is-token-mask.ts'
import { isTokenTruncate, isTokenTruncateOptions } from './is-token-truncate.ts'
import { klK1 } from './kl-k1.ts'
import { klK2 } from './kl-k2.ts'
import { klK3 } from './kl-k3.ts'
import { mlm, mlmOptions } from './mlm.ts'
import { ppo, ppoOptions } from './ppo.ts'
import { processReward, processRewardOptions } from './process-reward.ts'
import { reinforce, reinforceOptions } from './reinforce.ts'
import { reinforcePlusPlus, reinforcePlusPlusOptions } from './reinforce-plus-plus.ts'
import { rewardBradleyTerry, rewardBradleyTerryOptions } from './reward-bradley-terry.ts'
import { rloo, rlooOptions } from './rloo.ts'
import { sft, sftOptions } from './sft.ts'

/**
 * Every algorithm by its full id. `kind` says what the entry gives: a loss builder, a KL estimator, importance weights, or
 * `advantage`, whose function stands in `whetstone/advantages` under the same id.
 */
export const registry = {
  sft: { kind: 'loss', build: sft, options: sftOptions },
  mlm: { kind: 'loss', build: mlm, options: mlmOptions },
  dpo: { kind: 'loss', build: dpo, options: dpoOptions },
  ipo: { kind: 'loss', build: ipo, options: ipoOptions },
  'reward-bradley-terry': { kind: 'loss', build: rewardBradleyTerry, options: rewardBradleyTerryOptions },
  'process-reward': { kind: 'loss', build: processReward, options: processRewardOptions },
  ppo: { kind: 'loss', build: ppo, options: ppoOptions },
  grpo: { kind: 'loss', build: grpo, options: grpoOptions },
  'dr-grpo': { kind: 'loss', build: drGrpo, options: drGrpoOptions },
  dapo: { kind: 'loss', build: dapo, options: dapoOptions },
  cispo: { kind: 'loss', build: cispo, options: cispoOptions },
  rloo: { kind: 'loss', build: rloo, options: rlooOptions },
  reinforce: { kind: 'loss', build: reinforce, options: reinforceOptions },
  'reinforce-plus-plus': { kind: 'loss', build: reinforcePlusPlus, options: reinforcePlusPlusOptions },
  'gspo-sequence': { kind: 'loss', build: gspoSequence, options: gspoSequenceOptions },
  'gspo-pairs': { kind: 'loss', build: gspoPairs, options: gspoPairsOptions },
  'gdpo-contrast': { kind: 'loss', build: gdpoContrast, options: gdpoContrastOptions },
  'gdpo-listwise': { kind: 'loss', build: gdpoListwise, options: gdpoListwiseOptions },
  'gdpo-decoupled': { kind: 'advantage' },
  gae: { kind: 'advantage' },
  'kl-k1': { kind: 'kl', estimator: klK1 },
  'kl-k2': { kind: 'kl', estimator: klK2 },
  'kl-k3': { kind: 'kl', estimator: klK3 },
  'is-token-truncate': { kind: 'weights', weigh: isTokenTruncate, options: isTokenTruncateOptions },
  'is-token-mask': { kind: 'weights', weigh: isTokenMask, options: isTokenMaskOptions },
  'is-sequence-truncate': { kind: 'weights', weigh: isSequenceTruncate, options: isSequenceTruncateOptions },
  'is-sequence-mask': { kind: 'weights', weigh: isSequenceMask, options: isSequenceMaskOptions },
} as const

export type AlgorithmId = keyof typeof registry

/** Names that mean several things in the literature, with what they may mean. */
const ambiguous: Record<string, string> = {
  gspo:
    'gspo-sequence (Group Sequence Policy Optimization, arXiv 2507.18071) or ' +
    'gspo-pairs (Group Structured Preference Optimization, ours; nearest arXiv 2604.15602)',
  gdpo:
    'gdpo-decoupled (Group reward-Decoupled normalisation, arXiv 2601.05242), ' +
    'gdpo-contrast or gdpo-listwise (Group Direct Preference Optimization, ours)',
}

/**
 * The entry of an id.
 *
 * @throws RangeError for a name that means several things, listing them with their sources, and for an unknown one
 */
export function algorithm<I extends AlgorithmId>(id: I): (typeof registry)[I]
export function algorithm(id: string): (typeof registry)[AlgorithmId]
export function algorithm(id: string): (typeof registry)[AlgorithmId] {
  if (Object.hasOwn(registry, id)) return registry[id as AlgorithmId]
  if (Object.hasOwn(ambiguous, id))
    throw new RangeError(`"${id}" means several algorithms; say ${ambiguous[id]}`)
  throw new RangeError(`unknown algorithm "${id}"; the ids are: ${Object.keys(registry).join(', ')}`)
}
