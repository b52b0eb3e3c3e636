import type { Example } from '../engine/index.ts'
import type { MaskedExample } from '../losses/index.ts'

/**
 * A row of tokens as an example: position t asks for token t + 1 where it trains, and for nothing elsewhere, which saves the
 * vocabulary's share of the work there.
 *
 * @param trains [T], 1 on the tokens to learn; the first one is never asked for
 */
export function exampleOfTokens(tokens: Int32Array, trains: Uint8Array): MaskedExample {
  const mask = trains.slice(1)
  const target = tokens.slice(1).map((token, t) => (mask[t] === 1 ? token : -1))
  return { sequences: [{ input: tokens.slice(0, -1), target }], masks: [mask] }
}

/** Tokens that go through the model. */
export function tokensOfExample({ sequences }: Example): number {
  return sequences.reduce((sum, { input }) => sum + input.length, 0)
}
