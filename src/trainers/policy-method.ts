import {
  gdpoDecoupled,
  groupNormalised,
  leaveOneOut,
  reinforceAdvantages,
  reinforcePlusPlusAdvantages,
  reinforcePlusPlusBaseline,
} from '../advantages/index.ts'
import { algorithm, type PolicyExample, type PureLoss, type TokenTotals } from '../losses/index.ts'
import type { Row } from './rows.ts'

/** What a policy-gradient algorithm may weigh its rows by. One entry a row. */
export interface RewardedRows {
  rows: readonly Row[]
  /** Reward of each row, the KL penalty included where it is in the reward. */
  rewards: readonly number[]
  /** The same token by token: the penalty where it arose, the rest on the last drawn token. [T] a row. */
  tokenRewards: readonly Float64Array[]
  settings: MethodSettings
}

export interface MethodSettings {
  /** `reinforce-plus-plus`: discount of the next drawn token. Default 1. */
  gamma?: number
  /** `reinforce-plus-plus`: the variant that subtracts the group's mean. Default false. */
  groupBaseline?: boolean
  /** `gdpo-decoupled`: weights of the reward's parts by name. Needed there. */
  partWeights?: Readonly<Record<string, number>>
}

export type PolicyLossOptions = Record<string, number | string | boolean | null>

export interface PolicyMethod {
  /** In the registry of losses. */
  loss: PolicyLossId
  /** One number a row, or one a token. */
  advantages(given: RewardedRows): readonly (number | Float64Array)[]
  /** Where the KL to the reference may go; the first unless asked otherwise. */
  kl: readonly KlPlace[]
  /** What more than one update of a step asks of the loss; false: there can be only one. */
  severalUpdates?: PolicyLossOptions | false
  /** Leave out groups without spread, after so many further rounds of sampling. */
  dynamicSampling?: number
  /** Whether one answer a task will do. By default answers are compared with others to the same task. */
  loneAnswers?(settings: MethodSettings): boolean
}

export type KlPlace = 'loss' | 'reward'

type PolicyLossId =
  | 'reinforce'
  | 'reinforce-plus-plus'
  | 'rloo'
  | 'grpo'
  | 'dr-grpo'
  | 'dapo'
  | 'cispo'
  | 'gspo-sequence'

const groupsOf = (rows: readonly Row[]) => rows.map(({ group }) => group)

const againstGroup =
  (normalise: 'std' | 'none') =>
  ({ rows, rewards }: RewardedRows) => [...groupNormalised({ normalise }, rewards, groupsOf(rows))]

/** How each algorithm turns rewards into advantages, and what it does with them. */
export const policyMethods = {
  reinforce: {
    loss: 'reinforce',
    kl: ['reward'],
    advantages: ({ rewards }) => [...reinforceAdvantages({}, rewards)],
    severalUpdates: false,
    loneAnswers: () => true,
  },
  'reinforce-plus-plus': {
    loss: 'reinforce-plus-plus',
    kl: ['reward', 'loss'],
    advantages: plusPlus,
    loneAnswers: ({ groupBaseline = false }) => !groupBaseline,
  },
  rloo: {
    loss: 'rloo',
    kl: ['reward'],
    advantages: ({ rows, rewards }) => [...leaveOneOut(rewards, groupsOf(rows))],
    severalUpdates: { form: 'sequence-ratio' },
  },
  grpo: { loss: 'grpo', kl: ['loss', 'reward'], advantages: againstGroup('std') },
  'dr-grpo': { loss: 'dr-grpo', kl: ['loss', 'reward'], advantages: againstGroup('none') },
  dapo: { loss: 'dapo', kl: ['reward'], advantages: againstGroup('std'), dynamicSampling: 2 },
  cispo: { loss: 'cispo', kl: ['loss', 'reward'], advantages: againstGroup('std') },
  'gspo-sequence': { loss: 'gspo-sequence', kl: ['reward'], advantages: againstGroup('std') },
  'gdpo-decoupled': { loss: 'grpo', kl: ['loss'], advantages: decoupled },
} as const satisfies Record<string, PolicyMethod>

export type PolicyGradientId = keyof typeof policyMethods

/** @throws RangeError for a name that is none of them, in words that tell ambiguous names apart */
export function policyMethod(id: string): PolicyMethod {
  if (Object.hasOwn(policyMethods, id)) return policyMethods[id as PolicyGradientId]
  algorithm(id)
  throw new RangeError(
    `"${id}" is no policy-gradient algorithm of this loop; those are: ${Object.keys(policyMethods).join(', ')}`,
  )
}

/** The loss of a method. Its options are checked by name and value. */
export function policyLossOf(
  id: PolicyLossId,
  options: PolicyLossOptions,
  totals: TokenTotals,
): PureLoss<PolicyExample> {
  // The options of each loss are checked by the loss itself; no type can follow an id that is known at run time only.
  const build = algorithm(id).build as (
    options: PolicyLossOptions,
    totals: TokenTotals,
  ) => PureLoss<PolicyExample>
  return build(options, totals)
}

function plusPlus({ rows, rewards, tokenRewards, settings }: RewardedRows): Float64Array[] {
  const masks = rows.map(({ mask }) => mask)
  if (settings.groupBaseline) return reinforcePlusPlusBaseline({}, rewards, groupsOf(rows), masks)
  const { gamma = 1 } = settings
  const trajectories = rows.map(({ mask }, index) => ({ mask, rewards: tokenRewards[index]! }))
  return reinforcePlusPlusAdvantages({ gamma }, trajectories).advantages
}

function decoupled({ rows, settings }: RewardedRows): number[] {
  const weights = Object.entries(settings.partWeights ?? {})
  if (weights.length === 0)
    throw new RangeError(
      'gdpo-decoupled: partWeights is empty; name the parts of the reward, such as { tests: 1, format: 0.5 }',
    )
  const parts = rows.map(({ trajectory }) =>
    weights.map(([name]) => {
      const value = trajectory.parts[name]
      if (value !== undefined) return value
      const known = Object.keys(trajectory.parts).join(', ') || 'none'
      throw new Error(
        `gdpo-decoupled: a rollout of task "${trajectory.taskId}" has no reward part "${name}"; its parts: ${known}`,
      )
    }),
  )
  return [
    ...gdpoDecoupled(
      {},
      parts,
      weights.map(([, weight]) => weight),
      groupsOf(rows),
    ).advantages,
  ]
}
