import { type PolicyGradientOptions, policyGradient } from './policy-gradient.ts'
import type { PolicyGradientId } from './policy-method.ts'
import type { StageReport } from './stage.ts'

type Trainer = <T>(
  options: Omit<PolicyGradientOptions<T>, 'algorithm'>,
) => AsyncGenerator<StageReport, void, void>

const trainerOf =
  (algorithm: PolicyGradientId): Trainer =>
  (options) =>
    policyGradient({ ...options, algorithm })

/** `policyGradient` by the algorithms' names. */
export const reinforce = trainerOf('reinforce')
export const reinforcePlusPlus = trainerOf('reinforce-plus-plus')
export const rloo = trainerOf('rloo')
export const grpo = trainerOf('grpo')
export const drGrpo = trainerOf('dr-grpo')
export const dapo = trainerOf('dapo')
export const cispo = trainerOf('cispo')
export const gspoSequence = trainerOf('gspo-sequence')
export const gdpoDecoupled = trainerOf('gdpo-decoupled')
