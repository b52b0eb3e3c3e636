/**
 * exp(l - lo): how much more likely the policy in training makes a token than the one it is compared with.
 *
 * @throws Error when the two are so far apart that the ratio overflows
 */
export function ratioOf(id: string, sequence: number, token: number, logRatio: number): number {
  const ratio = Math.exp(logRatio)
  if (ratio !== Infinity) return ratio
  throw new Error(
    `${id}: the ratio exp(${logRatio}) of new to old overflows at token ${token} of sequence ${sequence}; ` +
      'are these log-probabilities of the same tokens?',
  )
}
