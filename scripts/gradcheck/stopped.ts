import type { Outputs } from './central-difference.ts'
import { size } from './points.ts'
import type { RandomBatch } from './random-batch.ts'

/** `-sum of weight(t)*l` over trained tokens, the weights held at the point: what CISPO's stop leaves. */
export function weighted(batch: RandomBatch, weight: (s: number, t: number) => number) {
  const held = batch.masks.map((mask, s) => Float64Array.from(mask, (m, t) => (m ? weight(s, t) : 0)))
  return (moved: Outputs) =>
    -held.reduce(
      (sum, row, s) => sum + row.reduce((total, w, t) => total + w * moved[s]![0]!.logprobs[t]!, 0),
      0,
    )
}

/** GSPO-token with its stops held at the point: s_t = s(point)*exp(l - l(point)). */
export function gspoTokenFrozen(batch: RandomBatch) {
  const held = batch.outputs.map(({ logprobs }) => Float64Array.from(logprobs))
  const ratios = held.map((row, s) => {
    const trained = [...row.keys()].filter((t) => batch.masks[s]![t] === 1)
    return Math.exp(trained.reduce((sum, t) => sum + row[t]! - batch.oldLogprobs[s]![t]!, 0) / trained.length)
  })
  return (moved: Outputs) => {
    let loss = 0
    batch.masks.forEach((mask, s) => {
      const tokens = mask.reduce((sum, m) => sum + m, 0)
      mask.forEach((m, t) => {
        if (m === 0) return
        const ratio = ratios[s]! * Math.exp(moved[s]![0]!.logprobs[t]! - held[s]![t]!)
        const advantage = batch.tokenAdvantages[s]![t]!
        loss -= Math.min(ratio * advantage, Math.min(Math.max(ratio, 0.9), 1.1) * advantage) / (size * tokens)
      })
    })
    return loss
  }
}
