import { clip } from '../losses/clip.ts'
import { numberOption, type OptionsFor, readOptions } from '../losses/options.ts'

export const adaptiveKlOptions = {
  target: numberOption('(0, inf)', 6, 'KL to the reference to keep, in nats a response'),
  horizon: numberOption('(0, inf)', 10000, 'steps over which the coefficient moves by a fifth at most'),
}

/**
 * Next KL coefficient (arXiv 1909.08593): beta*(1 + clip(kl/target - 1, -0.2, 0.2)*steps/horizon).
 *
 * @param coefficient beta, of at least 0
 * @param observedKl in the unit of the target
 * @param steps sequences (or updates) since the last call, in the unit of the horizon
 */
export function adaptKlCoefficient(
  given: OptionsFor<typeof adaptiveKlOptions>,
  coefficient: number,
  observedKl: number,
  steps: number,
): number {
  const { target, horizon } = readOptions('adaptKlCoefficient', adaptiveKlOptions, given)
  for (const [name, value] of Object.entries({ coefficient, steps })) {
    if (!(Number.isFinite(value) && value >= 0)) {
      throw new RangeError(`adaptKlCoefficient: ${name} must be a finite number of at least 0, got ${value}`)
    }
  }
  if (!Number.isFinite(observedKl)) throw new Error(`adaptKlCoefficient: the observed KL is ${observedKl}`)
  // A negative factor would turn the penalty into a reward for drifting; it can only arise from steps far beyond the horizon.
  return coefficient * Math.max(0, 1 + (clip(observedKl / target - 1, -0.2, 0.2) * steps) / horizon)
}
