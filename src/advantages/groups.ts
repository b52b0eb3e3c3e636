/**
 * Indices of each group's members, by group, in order of first appearance.
 *
 * @param groups [N], a prompt's number for each sequence
 * @throws Error when rewards and groups do not align or a reward is not finite
 */
export function membersByGroup(
  id: string,
  rewards: ArrayLike<number>,
  groups: ArrayLike<number>,
): Map<number, number[]> {
  if (rewards.length !== groups.length) {
    throw new Error(`${id}: ${rewards.length} rewards, but ${groups.length} groups; one of each a sequence`)
  }
  if (rewards.length === 0) throw new Error(`${id}: there are no rewards`)
  const members = new Map<number, number[]>()
  for (let i = 0; i < groups.length; i++) {
    if (!Number.isFinite(rewards[i]!))
      throw new Error(`${id}: the reward of sequence ${i} is ${rewards[i]}; it must be finite`)
    const group = members.get(groups[i]!)
    if (group) group.push(i)
    else members.set(groups[i]!, [i])
  }
  return members
}

/**
 * Mean and sample standard deviation (n - 1). Equal numbers have spread exactly 0, whatever rounding does to their mean; so has a
 * single number.
 */
export function meanAndSpread(
  values: readonly number[] | Float64Array,
  ddof: 0 | 1 = 1,
): { mean: number; std: number } {
  let sum = 0
  let equal = true
  for (const value of values) {
    sum += value
    if (value !== values[0]) equal = false
  }
  if (equal) return { mean: values[0] ?? 0, std: 0 }
  const mean = sum / values.length
  let squares = 0
  for (const value of values) squares += (value - mean) * (value - mean)
  return { mean, std: Math.sqrt(squares / (values.length - ddof)) }
}
