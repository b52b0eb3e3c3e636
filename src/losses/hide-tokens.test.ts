import { describe, expect, it } from 'vitest'
import { hideTokens } from './hide-tokens.ts'

function counter(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}
const count = 40_000
const tokens = Int32Array.from({ length: count }, (_, t) => t % 50)
const everywhere = new Uint8Array(count).fill(1)
const vocabulary = { size: 1000, maskToken: 999 }

describe('hideTokens', () => {
  it('hides 15 %: 80 % of those as the mask token, 10 % as a random one, 10 % as they are', () => {
    const { input, mask } = hideTokens(tokens, everywhere, vocabulary, counter(7))
    const hidden = [...mask.keys()].filter((t) => mask[t] === 1)
    const share = (test: (t: number) => boolean) => hidden.filter(test).length / hidden.length
    expect(hidden.length / count).toBeCloseTo(0.15, 2)
    expect(share((t) => input[t] === 999)).toBeCloseTo(0.8, 1.5)
    expect(share((t) => input[t] === tokens[t])).toBeCloseTo(0.1, 1.5)
    expect(share((t) => input[t] !== 999 && input[t] !== tokens[t])).toBeCloseTo(0.1, 1.5)
  })

  it('draws random tokens from the whole vocabulary', () => {
    const options = { rate: 1, maskShare: 0, randomShare: 1 }
    const { input } = hideTokens(tokens, everywhere, { size: 10, maskToken: 10 }, counter(4), options)
    const counts = Array.from({ length: 11 }, (_, token) => input.filter((id) => id === token).length)
    expect(counts[10]).toBe(0)
    for (const share of counts.slice(0, 10)) expect(share / count).toBeCloseTo(0.1, 1.5)
  })

  it('leaves visible tokens and the tokens given to it alone', () => {
    const before = tokens.slice()
    const { input, mask } = hideTokens(tokens, everywhere, vocabulary, counter(8))
    expect(tokens).toEqual(before)
    expect([...input].every((token, t) => mask[t] === 1 || token === tokens[t])).toBe(true)
  })

  it('never hides a special token', () => {
    const hideable = Uint8Array.from({ length: count }, (_, t) => t % 2)
    const { mask } = hideTokens(tokens, hideable, vocabulary, counter(9), { rate: 1 })
    expect([...mask]).toEqual([...hideable])
  })

  it('is the same for the same random numbers', () => {
    const once = hideTokens(tokens, everywhere, vocabulary, counter(3))
    expect(hideTokens(tokens, everywhere, vocabulary, counter(3))).toEqual(once)
  })

  it('refuses shares above 1 and arrays that do not align', () => {
    const given = { maskShare: 0.8, randomShare: 0.3 }
    expect(() => hideTokens(tokens, everywhere, vocabulary, counter(1), given)).toThrow(
      /must be at most 1, got 1.1/,
    )
    expect(() => hideTokens(tokens, [1], vocabulary, counter(1))).toThrow(/hideable has 1 entries/)
  })
})
