import type { Operation } from '../operation.ts'

/** Lists of integers to one integer. */
export const reductionOperations: Operation[] = [
  {
    id: 'sum',
    from: 'integers',
    to: 'integer',
    javascript: 'V.reduce((sum, x) => sum + x, 0)',
    python: 'sum(V)',
    phrases: [
      'add up the numbers (0 for an empty list)',
      'compute the sum of the numbers, which is 0 when there are none',
    ],
  },
  {
    id: 'maximum',
    from: 'integers',
    to: 'integer',
    javascript: '(V.length === 0 ? 0 : Math.max(...V))',
    python: 'max(V, default=0)',
    phrases: [
      'find the largest number (0 for an empty list)',
      'take the maximum of the numbers, or 0 when there are none',
    ],
  },
  {
    id: 'minimum',
    from: 'integers',
    to: 'integer',
    javascript: '(V.length === 0 ? 0 : Math.min(...V))',
    python: 'min(V, default=0)',
    phrases: [
      'find the smallest number (0 for an empty list)',
      'take the minimum of the numbers, or 0 when there are none',
    ],
  },
  {
    id: 'count',
    from: 'integers',
    to: 'integer',
    javascript: 'V.length',
    python: 'len(V)',
    phrases: ['count the numbers', 'determine how many numbers there are'],
  },
  {
    id: 'count-distinct',
    from: 'integers',
    to: 'integer',
    javascript: 'new Set(V).size',
    python: 'len(set(V))',
    phrases: ['count the distinct numbers', 'determine how many different numbers there are'],
  },
  {
    id: 'alternating-sum',
    from: 'integers',
    to: 'integer',
    javascript: 'V.reduce((sum, x, i) => (i % 2 === 0 ? sum + x : sum - x), 0)',
    python: 'sum(V[::2]) - sum(V[1::2])',
    phrases: [
      'compute the alternating sum: the first number minus the second plus the third and so on (0 for an empty list)',
      'add the numbers at even zero-based positions and subtract those at odd positions',
    ],
  },
  {
    id: 'product-modulo',
    from: 'integers',
    to: 'integer',
    parameter: { low: 7, high: 101 },
    define: {
      python:
        'def product_modulo(values, modulus):\n    product = 1\n    for x in values:\n        product = product * x % modulus\n    return product % modulus',
    },
    javascript: 'V.reduce((product, x) => (((product * (x % P)) % P) + P) % P, 1)',
    python: 'product_modulo(V, P)',
    phrases: [
      'multiply the numbers together and take the product modulo {p}, between 0 and {p} - 1 (the empty product is 1)',
      'compute the remainder modulo {p} (never negative) of the product of all numbers, where no numbers give 1',
    ],
  },
  {
    id: 'longest-climb',
    from: 'integers',
    to: 'integer',
    define: {
      javascript:
        'function longestClimb(values) {\n  let best = 0\n  let length = 0\n  values.forEach((x, i) => {\n    length = i > 0 && x > values[i - 1] ? length + 1 : 1\n    best = Math.max(best, length)\n  })\n  return best\n}',
      python:
        'def longest_climb(values):\n    lengths = [0]\n    for i, x in enumerate(values):\n        lengths.append(lengths[-1] + 1 if i > 0 and x > values[i - 1] else 1)\n    return max(lengths)',
    },
    javascript: 'longestClimb(V)',
    python: 'longest_climb(V)',
    phrases: [
      'find the length of the longest run of neighbours in which each number is greater than the one before it (0 for an empty list)',
      'determine how long the longest strictly increasing stretch of consecutive numbers is, 0 when the list is empty',
    ],
  },
  {
    id: 'spread',
    from: 'integers',
    to: 'integer',
    javascript: '(V.length === 0 ? 0 : Math.max(...V) - Math.min(...V))',
    python: 'max(V, default=0) - min(V, default=0)',
    phrases: [
      'compute the difference between the largest and the smallest number (0 for an empty list)',
      'subtract the minimum from the maximum, giving 0 when there are no numbers',
    ],
  },
  {
    id: 'second-largest',
    from: 'integers',
    to: 'integer',
    javascript: '([...new Set(V)].sort((a, b) => b - a)[1] ?? 0)',
    python: '(sorted(set(V))[-2] if len(set(V)) > 1 else 0)',
    phrases: [
      'find the second largest distinct number (0 if there are fewer than two distinct numbers)',
      'take the largest number that is smaller than the maximum, or 0 when there is no such number',
    ],
  },
  {
    id: 'mode',
    from: 'integers',
    to: 'integer',
    define: {
      javascript:
        'function mode(values) {\n  const count = (x) => values.filter((y) => y === x).length\n  return [...new Set(values)].sort((a, b) => count(b) - count(a) || a - b)[0] ?? 0\n}',
    },
    javascript: 'mode(V)',
    python: 'min(V, key=lambda x: (-V.count(x), x), default=0)',
    phrases: [
      'find the most frequent number, the smallest of them on a tie (0 for an empty list)',
      'take the number that occurs most often, preferring the smallest among equally frequent ones, or 0 when there are none',
    ],
  },
  {
    id: 'inversions',
    from: 'integers',
    to: 'integer',
    javascript: 'V.reduce((count, x, i) => count + V.slice(i + 1).filter((y) => y < x).length, 0)',
    python: 'sum(V[i] > V[j] for j in range(len(V)) for i in range(j))',
    phrases: [
      'count the pairs of positions i < j where the number at i is greater than the number at j',
      'count the inversions: pairs in which a greater number stands before a smaller one',
    ],
  },
  {
    id: 'best-stretch',
    from: 'integers',
    to: 'integer',
    define: {
      javascript:
        'function bestStretch(values) {\n  let best = 0\n  let ending = 0\n  for (const x of values) {\n    ending = Math.max(0, ending + x)\n    best = Math.max(best, ending)\n  }\n  return best\n}',
    },
    javascript: 'bestStretch(V)',
    python: 'max(sum(V[i:j]) for i in range(len(V) + 1) for j in range(i, len(V) + 1))',
    phrases: [
      'find the greatest sum of any stretch of consecutive numbers, where the empty stretch has the sum 0',
      'compute the maximum subarray sum, allowing the empty subarray (sum 0)',
    ],
  },
]
