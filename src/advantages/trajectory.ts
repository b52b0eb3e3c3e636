import type { FloatArray } from '../engine/contract.ts'
import { checkLength, countTokens, finite } from '../losses/arrays.ts'
import type { Mask } from '../losses/types.ts'

/** Rewards along one row. Shapes: [T]. */
export interface Trajectory {
  /** 0 where the mask is 0: what a tool call earns is credited to a token that the policy chose. */
  rewards: FloatArray
  mask: Mask
}

/**
 * Positions of the action tokens: what is left when prompt, tool output and padding are dropped.
 *
 * @throws Error when shapes differ, an action's reward is not finite, or a reward lies on a token that is no action
 */
export function actionTokens(id: string, trajectory: Trajectory, sequence: number): number[] {
  const { rewards, mask } = trajectory
  checkLength(id, 'rewards', sequence, rewards, mask.length)
  countTokens(mask)
  const actions: number[] = []
  for (let t = 0; t < mask.length; t++) {
    if (mask[t] === 1) {
      finite(id, 'rewards', sequence, t, rewards[t])
      actions.push(t)
    } else if (rewards[t] !== 0) {
      throw new Error(
        `${id}: token ${t} of sequence ${sequence} has reward ${rewards[t]} but mask 0; credit it to an action token`,
      )
    }
  }
  return actions
}
