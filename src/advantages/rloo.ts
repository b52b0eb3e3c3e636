/**
 * Leave-one-out advantages.
 *
 * Formula: A = reward - mean reward of the others in its group = G/(G - 1) * (reward - group mean)
 * Paper: arXiv 2402.14740
 * Peers: verl's loop gives a group of one its raw reward; its vectorised form, SkyRL and we give it 0.
 */
import { meanAndSpread, membersByGroup } from './groups.ts'

/**
 * @param rewards [N]
 * @param groups [N], the prompt of each sequence
 * @returns advantages, [N]; 0 in a group of one and in a group without spread
 */
export function leaveOneOut(rewards: ArrayLike<number>, groups: ArrayLike<number>): Float64Array {
  const advantages = new Float64Array(rewards.length)
  for (const members of membersByGroup('rloo', rewards, groups).values()) {
    const { mean, std } = meanAndSpread(members.map((i) => rewards[i]!))
    if (std === 0) continue
    const scale = members.length / (members.length - 1)
    for (const i of members) advantages[i] = scale * (rewards[i]! - mean)
  }
  return advantages
}
