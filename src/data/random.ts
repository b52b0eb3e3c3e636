import { createHash } from 'node:crypto'

/** Pseudo-random numbers that depend on their seed alone. Not for secrets. */
export interface Random {
  /** Uniform in [0, 1), 32 bits. */
  next(): number
  /** Uniform integer in [low, high], both ends included. */
  integer(low: number, high: number): number
  /** One of the items. Throws a RangeError when there are none. */
  pick<T>(items: readonly T[]): T
}

/**
 * A generator seeded by the SHA-256 of the parts, so that ("run", 1, 12) and ("run", 11, 2) share nothing: xoshiro128**
 * (Blackman and Vigna, 2018), period 2^128 - 1.
 */
export function seededRandom(...parts: (string | number)[]): Random {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest()
  let [a, b, c, d] = [0, 4, 8, 12].map((offset) => digest.readUInt32LE(offset)) as [
    number,
    number,
    number,
    number,
  ]
  function next(): number {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotate(d, 11)
    return result / 2 ** 32
  }
  return {
    next,
    integer: (low, high) => low + Math.floor(next() * (high - low + 1)),
    pick(items) {
      if (items.length === 0) throw new RangeError('pick: there is nothing to pick from')
      return items[Math.floor(next() * items.length)]!
    },
  }
}

/** An integer from 0 below 2^48 that depends on the parts alone: the seed of one thing among many. */
export function seedOf(...parts: (string | number)[]): number {
  return createHash('sha256').update(JSON.stringify(parts)).digest().readUIntLE(0, 6)
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
