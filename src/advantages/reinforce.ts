/**
 * Advantages of the plain policy gradient: one number a sequence, whitened over the batch.
 *
 * Formula: A = whiten(return - beta*KL), KL = sum over the response of the estimate to the reference
 * Paper: Williams, Simple statistical gradient-following algorithms (1992)
 * Peers: differ in the baseline; the batch's mean is the plainest.
 */
import { numberOption, type OptionsFor, readOptions } from '../losses/options.ts'
import { whiten } from './whiten.ts'

export const reinforceAdvantageOptions = {
  klCoefficient: numberOption('[0, inf)', 0, 'beta: what a nat of KL to the reference costs'),
  whitenEpsilon: numberOption('(0, inf)', 1e-8, 'added to the variance'),
}

/**
 * @param returns [N], one a sequence
 * @param sequenceKls [N], KL of each response in nats
 * @returns advantages, [N]; zeros when there is no spread
 */
export function reinforceAdvantages(
  given: OptionsFor<typeof reinforceAdvantageOptions>,
  returns: ArrayLike<number>,
  sequenceKls?: ArrayLike<number>,
): Float64Array {
  const options = readOptions('reinforce', reinforceAdvantageOptions, given)
  if (options.klCoefficient > 0 && sequenceKls?.length !== returns.length) {
    throw new Error(
      `reinforce: klCoefficient is above 0, so each of the ${returns.length} sequences needs its KL`,
    )
  }
  const shaped = Float64Array.from(
    returns,
    (value, i) => value - options.klCoefficient * (sequenceKls?.[i] ?? 0),
  )
  const broken = shaped.findIndex((value) => !Number.isFinite(value))
  if (broken >= 0) throw new Error(`reinforce: return or KL of sequence ${broken} is not finite`)
  return whiten(shaped, options.whitenEpsilon)
}
