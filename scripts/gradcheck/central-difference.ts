import type { TokenOutputs } from '../../src/engine/contract.ts'

export type Outputs = TokenOutputs<Float64Array>[][]

/** A function of a batch's outputs, [example][sequence], at a random point. */
export interface GradientPoint {
  outputs: Outputs
  loss: number
  /** The gradient that the loss reports, aligned with `outputs`. */
  gradients: Outputs
  /** The function whose derivative that gradient is: the loss, with what it stops held at the point. */
  value(outputs: Outputs): number
}

export interface GradientReport {
  numbers: number
  /** Numbers at a kink, where no derivative exists: seen by the two one-sided differences. */
  kinks: number
  worst: number
}

const step = 1e-5

/**
 * Compares each reported derivative with (f(x + h) - f(x - h)) / 2h in float64. Errors are relative to the larger of the two, or to a
 * hundredth of the point's largest derivative: below that a difference of sums is rounding.
 */
export function checkGradient({ outputs, gradients, value }: Omit<GradientPoint, 'loss'>): GradientReport {
  const centre = value(outputs)
  const pairs: { reported: number; numeric: number }[] = []
  let kinks = 0
  outputs.forEach((example, e) => {
    example.forEach((output, s) => {
      for (const name of ['logprobs', 'entropy', 'values'] as const) {
        const array = output[name]
        if (!array) continue
        for (let t = 0; t < array.length; t++) {
          const x = array[t]!
          array[t] = x + step
          const above = value(outputs)
          array[t] = x - step
          const below = value(outputs)
          array[t] = x
          const [right, left] = [(above - centre) / step, (centre - below) / step]
          if (Math.abs(right - left) > 1e-2 * Math.max(Math.abs(right), Math.abs(left)) + 1e-9) kinks++
          else
            pairs.push({ reported: gradients[e]![s]![name]?.[t] ?? 0, numeric: (above - below) / (2 * step) })
        }
      }
    })
  })
  const largest = Math.max(
    ...pairs.map(({ reported, numeric }) => Math.max(Math.abs(reported), Math.abs(numeric))),
  )
  let worst = 0
  for (const { reported, numeric } of pairs) {
    if (reported === numeric) continue
    const scale = Math.max(Math.abs(reported), Math.abs(numeric), largest / 100)
    worst = Math.max(worst, Math.abs(reported - numeric) / scale)
  }
  return { numbers: pairs.length + kinks, kinks, worst }
}
