import { actionTokens, type Trajectory } from './trajectory.ts'

/**
 * G_t = r_t + gamma*G_next over action tokens: rewards pass over tool tokens without decay.
 *
 * @returns [T] a trajectory, 0 where the mask is 0
 */
export function discountedReturns(
  id: string,
  gamma: number,
  trajectories: readonly Trajectory[],
): Float64Array[] {
  return trajectories.map((trajectory, s) => {
    const returns = new Float64Array(trajectory.mask.length)
    let next = 0
    for (const t of actionTokens(id, trajectory, s).reverse()) {
      next = trajectory.rewards[t]! + gamma * next
      returns[t] = next
    }
    return returns
  })
}
