import type { TokenOutputs } from '../../src/engine/contract.ts'
import { sequencesOf } from '../loss-goldens/golden-case.ts'

/** Uniform in [0, 1), the same sequence for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296
  }
}

/** Sequences of random lengths with everything a loss may ask for. Token arrays are [T]. */
export function randomBatch(random: () => number, count: number) {
  const between = (low: number, high: number) => low + (high - low) * random()
  const lengths = Array.from({ length: count }, () => 2 + Math.floor(random() * 6))
  const arrays = (low: number, high: number) =>
    lengths.map((length) => Float64Array.from({ length }, () => between(low, high)))
  const near = (rows: Float64Array[], distance: number) =>
    rows.map((row) => row.map((value) => value + between(-distance, distance)))
  const masks = lengths.map((length) =>
    Uint8Array.from({ length }, (_, t) => (t === 0 || random() < 0.7 ? 1 : 0)),
  )
  const logprobs = arrays(-5, -0.5)
  const values = arrays(-1, 1)
  const entropy = arrays(0.1, 3)
  const outputs: TokenOutputs<Float64Array>[] = logprobs.map((row, s) => ({
    logprobs: row,
    values: values[s]!,
    entropy: entropy[s]!,
  }))
  return {
    sequences: sequencesOf(logprobs),
    outputs,
    masks,
    oldLogprobs: near(logprobs, 0.6),
    referenceLogprobs: near(logprobs, 1),
    samplerLogprobs: near(logprobs, 1),
    tokenAdvantages: arrays(-2, 2),
    advantages: lengths.map(() => between(-2, 2)),
    rewards: lengths.map(() => Math.round(between(0, 4)) / 4),
    oldValues: near(values, 0.4),
    returns: near(values, 1),
    tokenRewards: masks.map((mask) => Float64Array.from(mask, (m) => m * between(-1, 1))),
  }
}

export type RandomBatch = ReturnType<typeof randomBatch>
