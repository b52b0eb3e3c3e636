import type { FloatArray } from '../engine/contract.ts'
import { checkLength, countTokens, finite } from './arrays.ts'
import type { Mask } from './types.ts'

/**
 * h = sum of m*(l - lr) over a response: how far the policy has moved towards it from the reference, in nats.
 *
 * @throws Error when no token of the response trains: a preference over nothing has no gradient
 */
export function sequenceLogRatio(
  id: string,
  sequence: number,
  logprobs: FloatArray,
  referenceLogprobs: FloatArray | undefined,
  mask: Mask | undefined,
): { h: number; tokens: number } {
  const m = checkLength(id, 'mask', sequence, mask, logprobs.length)
  const reference = checkLength(id, 'referenceLogprobs', sequence, referenceLogprobs, logprobs.length)
  const tokens = countTokens(m)
  if (tokens === 0)
    throw new Error(`${id}: sequence ${sequence} has no trained token, so it cannot be compared`)
  let h = 0
  for (let t = 0; t < m.length; t++) {
    if (m[t] === 0) continue
    h +=
      finite(id, 'logprobs', sequence, t, logprobs[t]) -
      finite(id, 'referenceLogprobs', sequence, t, reference[t])
  }
  return { h, tokens }
}
