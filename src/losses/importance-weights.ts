import type { FloatArray } from '../engine/contract.ts'
import { checkLength, countTokens, finite } from './arrays.ts'
import { clip } from './clip.ts'
import { type OptionsFor, optionalNumberOption, readOptions } from './options.ts'
import type { Mask } from './types.ts'

/** What two programs said of the same tokens. One entry a sequence; token arrays are [T]. */
export interface SampledBatch {
  /** Under the trainer, at the start of the step. Equal to the sampler's, every weight is 1. */
  oldLogprobs: FloatArray[]
  /** As the sampler recorded them. */
  samplerLogprobs: FloatArray[]
  masks: Mask[]
}

export interface ImportanceWeights {
  /** [T] a sequence, 0 where the mask is 0. They multiply the policy term and leave its denominator alone. */
  weights: Float64Array[]
  /** rho of each sequence, before bounds; only in the sequence modes. */
  sequenceRatios?: Float64Array
  /** `alteredFraction`: share of tokens (sequences) whose weight is not rho; `importanceRatioMin`, `importanceRatioMax`. */
  metrics: Record<string, number>
}

/** Bounds of rho; lower null: none. */
export function boundOptions(lower: number | null) {
  return {
    lower: optionalNumberOption('[0, inf)', lower, 'lower bound of the ratio; null: none'),
    upper: optionalNumberOption('(0, inf)', 2, 'upper bound of the ratio; null: none'),
  }
}

export interface ImportanceMode {
  id: string
  level: 'token' | 'sequence'
  /** What happens to a ratio outside the bounds: held at the bound, or the weight is 0. */
  outside: 'truncate' | 'mask'
  options: OptionsFor<ReturnType<typeof boundOptions>>
}

/** Weights from exp(lo - ls), a token or a sequence at a time: what the four `is-*` ids share. */
export function importanceWeights(mode: ImportanceMode, batch: SampledBatch): ImportanceWeights {
  const { id, level } = mode
  const { lower, upper } = readOptions(id, boundOptions(mode.outside === 'mask' ? 0.5 : null), mode.options)
  const low = lower ?? 0
  const high = upper ?? Infinity
  if (low > high)
    throw new RangeError(`${id}: lower must be at most upper, got lower ${low} and upper ${high}`)
  const bounded = (rho: number) => {
    if (mode.outside === 'truncate') return clip(rho, low, high)
    return rho < low || rho > high ? 0 : rho
  }
  const sequenceRatios = new Float64Array(batch.masks.length)
  let ratios = 0
  let altered = 0
  let minimum = Infinity
  let maximum = -Infinity
  const weightOf = (rho: number) => {
    const weight = bounded(rho)
    ratios++
    if (weight !== rho) altered++
    minimum = Math.min(minimum, rho)
    maximum = Math.max(maximum, rho)
    return weight
  }
  const weights = batch.masks.map((mask, s) => {
    const old = checkLength(id, 'oldLogprobs', s, batch.oldLogprobs[s], mask.length)
    const sampler = checkLength(id, 'samplerLogprobs', s, batch.samplerLogprobs[s], mask.length)
    const logRatio = (t: number) =>
      finite(id, 'oldLogprobs', s, t, old[t]) - finite(id, 'samplerLogprobs', s, t, sampler[t])
    const row = new Float64Array(mask.length)
    const tokens = countTokens(mask)
    if (level === 'token') {
      for (let t = 0; t < row.length; t++) if (mask[t] !== 0) row[t] = weightOf(Math.exp(logRatio(t)))
      return row
    }
    let sum = 0
    for (let t = 0; t < row.length; t++) if (mask[t] !== 0) sum += logRatio(t)
    sequenceRatios[s] = Math.exp(sum)
    const weight = tokens > 0 ? weightOf(sequenceRatios[s]!) : 0
    for (let t = 0; t < row.length; t++) if (mask[t] !== 0) row[t] = weight
    return row
  })
  if (ratios === 0) throw new Error(`${id}: no token of the batch has mask 1`)
  const metrics = {
    alteredFraction: altered / ratios,
    importanceRatioMin: minimum,
    importanceRatioMax: maximum,
  }
  return { weights, metrics, ...(level === 'sequence' && { sequenceRatios }) }
}
