import { meanAndSpread, membersByGroup } from './groups.ts'

/**
 * Dynamic sampling (arXiv 2503.14476): the groups whose rewards have spread. Not the groups whose mean is neither 0 nor 1: rewards
 * of .5 and .5 teach nothing either.
 *
 * @param threshold smallest standard deviation that counts, not included
 * @returns the kept groups' numbers, in order of first appearance
 */
export function keptGroups(
  rewards: ArrayLike<number>,
  groups: ArrayLike<number>,
  threshold = 1e-6,
): number[] {
  const kept: number[] = []
  for (const [group, members] of membersByGroup('dynamic sampling', rewards, groups)) {
    if (meanAndSpread(members.map((i) => rewards[i]!)).std > threshold) kept.push(group)
  }
  return kept
}
