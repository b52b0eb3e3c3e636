/**
 * Every pair of a group whose first score beats the second by more than the margin.
 *
 * @param scores [G]
 * @returns indices [winner, loser], in order of the winner
 */
export function preferencePairs(scores: ArrayLike<number>, margin = 0): [number, number][] {
  const pairs: [number, number][] = []
  for (let i = 0; i < scores.length; i++) {
    for (let j = 0; j < scores.length; j++) {
      if (scores[i]! - scores[j]! > margin) pairs.push([i, j])
    }
  }
  return pairs
}
