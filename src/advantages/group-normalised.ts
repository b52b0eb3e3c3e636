/**
 * Advantages of GRPO, DAPO and CISPO (std) and of Dr. GRPO (none): each reward against its group's mean.
 *
 * Formula: A = (reward - group mean) / (group std + epsilon), the sample std (n - 1); without std: A = reward - group mean
 * Paper: arXiv 2402.03300; without std 2503.20783
 * Peers: open-instruct takes the population std; epsilon is 1e-4 in TRL and here, 1e-6 in verl, SkyRL and slime. A group of one
 *   gets its raw reward in verl and SkyRL, 0 here.
 */
import { choiceOption, numberOption, type OptionsFor, readOptions } from '../losses/options.ts'
import { meanAndSpread, membersByGroup } from './groups.ts'

export const groupNormalisedOptions = {
  normalise: choiceOption(['std', 'none'], 'std', 'std: divide by the standard deviation of the group'),
  epsilon: numberOption('[0, inf)', 1e-4, 'added to the standard deviation'),
}

/**
 * @param rewards [N]
 * @param groups [N], the prompt of each sequence
 * @returns advantages, [N]; 0 in a group of one and in a group without spread
 */
export function groupNormalised(
  given: OptionsFor<typeof groupNormalisedOptions>,
  rewards: ArrayLike<number>,
  groups: ArrayLike<number>,
): Float64Array {
  const { normalise, epsilon } = readOptions('group-normalised', groupNormalisedOptions, given)
  const advantages = new Float64Array(rewards.length)
  for (const members of membersByGroup('group-normalised', rewards, groups).values()) {
    const { mean, std } = meanAndSpread(members.map((i) => rewards[i]!))
    if (std === 0) continue
    for (const i of members) advantages[i] = (rewards[i]! - mean) / (normalise === 'std' ? std + epsilon : 1)
  }
  return advantages
}
