import type { Operation } from '../operation.ts'

/** Integers to integers, lists and text. */
export const integerOperations: Operation[] = [
  {
    id: 'integer-add',
    from: 'integer',
    to: 'integer',
    parameter: { low: 1, high: 50 },
    javascript: 'V + P',
    python: 'V + P',
    phrases: ['add {p} to the number', 'increase the number by {p}'],
  },
  {
    id: 'integer-multiply',
    from: 'integer',
    to: 'integer',
    parameter: { low: 2, high: 12 },
    javascript: 'V * P',
    python: 'V * P',
    phrases: ['multiply the number by {p}', 'take {p} times the number'],
  },
  {
    id: 'integer-square',
    from: 'integer',
    to: 'integer',
    javascript: 'V * V',
    python: 'V ** 2',
    phrases: ['square the number', 'multiply the number by itself'],
  },
  {
    id: 'integer-modulo',
    from: 'integer',
    to: 'integer',
    parameter: { low: 3, high: 29 },
    javascript: '((V % P) + P) % P',
    python: 'V % P',
    phrases: [
      'take the number modulo {p}, between 0 and {p} - 1 even for negative numbers',
      'reduce the number modulo {p} (the result is never negative)',
    ],
  },
  {
    id: 'digit-sum',
    from: 'integer',
    to: 'integer',
    javascript: '[...String(Math.abs(V))].reduce((sum, digit) => sum + Number(digit), 0)',
    python: 'sum(map(int, str(abs(V))))',
    phrases: [
      "take the sum of the number's decimal digits, ignoring its sign",
      "add up the digits of the number's absolute value",
    ],
  },
  {
    id: 'digit-reverse',
    from: 'integer',
    to: 'integer',
    javascript: 'Number([...String(Math.abs(V))].reverse().join(""))',
    python: 'int(str(abs(V))[::-1])',
    phrases: [
      "reverse the decimal digits of the number's absolute value (leading zeros disappear)",
      "drop the number's sign and read its decimal digits from right to left as a number",
    ],
  },
  {
    id: 'set-bits',
    from: 'integer',
    to: 'integer',
    javascript: 'Math.abs(V).toString(2).replaceAll("0", "").length',
    python: 'bin(abs(V)).count("1")',
    phrases: [
      "count the ones in the binary form of the number's absolute value",
      'count the set bits of the number, ignoring its sign',
    ],
  },
  {
    id: 'collatz-steps',
    from: 'integer',
    to: 'integer',
    largest: 1_000_000,
    define: {
      javascript:
        'function collatzSteps(start) {\n  let steps = 0\n  for (let n = start; n > 1; steps++) n = n % 2 === 0 ? n / 2 : 3 * n + 1\n  return steps\n}',
      python:
        'def collatz_steps(n):\n    steps = 0\n    while n > 1:\n        n = 3 * n + 1 if n % 2 else n // 2\n        steps += 1\n    return steps',
    },
    javascript: 'collatzSteps(V)',
    python: 'collatz_steps(V)',
    phrases: [
      'count the Collatz steps (halve if even, else triple and add one) until the number is at most 1; a number that already is needs 0',
      'determine how often the rule "n becomes n / 2 if n is even, 3n + 1 if it is odd" must be applied until n <= 1',
    ],
  },
  {
    id: 'gcd',
    from: 'integer',
    to: 'integer',
    parameter: { low: 6, high: 60 },
    define: {
      javascript: 'function gcd(a, b) {\n  return b === 0 ? a : gcd(b, a % b)\n}',
      python: 'def gcd(a, b):\n    return a if b == 0 else gcd(b, a % b)',
    },
    javascript: 'gcd(Math.abs(V), P)',
    python: 'gcd(abs(V), P)',
    phrases: [
      'take the greatest common divisor of the number and {p} (for 0 that is {p})',
      'compute the largest positive integer that divides both the number and {p}',
    ],
  },
  {
    id: 'digits',
    from: 'integer',
    to: 'integers',
    javascript: '[...String(Math.abs(V))].map(Number)',
    python: '[int(d) for d in str(abs(V))]',
    phrases: [
      'list the decimal digits of the number from left to right, ignoring its sign',
      'split the absolute value of the number into its decimal digits, most significant first',
    ],
  },
  {
    id: 'divisors',
    from: 'integer',
    to: 'integers',
    largest: 20_000,
    javascript: 'Array.from({ length: Math.abs(V) }, (_, i) => i + 1).filter((d) => V % d === 0)',
    python: '[d for d in range(1, abs(V) + 1) if V % d == 0]',
    phrases: [
      'list the positive divisors of the number in ascending order, ignoring its sign (none for 0)',
      "list, from smallest to largest, every positive integer up to the number's absolute value that divides it (an empty list for 0)",
    ],
  },
  {
    id: 'prime-factors',
    from: 'integer',
    to: 'integers',
    largest: 1_000_000,
    define: {
      javascript:
        'function primeFactors(number) {\n  const factors = []\n  let rest = Math.abs(number)\n  for (let d = 2; d <= rest; d++) {\n    while (rest > 1 && rest % d === 0) {\n      factors.push(d)\n      rest /= d\n    }\n  }\n  return factors\n}',
      python:
        'def prime_factors(number):\n    rest, d, factors = abs(number), 2, []\n    while rest > 1:\n        if rest % d == 0:\n            factors.append(d)\n            rest //= d\n        else:\n            d += 1\n    return factors',
    },
    javascript: 'primeFactors(V)',
    python: 'prime_factors(V)',
    phrases: [
      "list the prime factors of the number's absolute value in ascending order, repeated as often as they divide it (none for 0 and 1)",
      'factorise the number, ignoring its sign, into primes in ascending order with repetition (an empty list for 0 and 1)',
    ],
  },
  {
    id: 'to-base',
    from: 'integer',
    to: 'text',
    parameter: { low: 2, high: 9 },
    define: {
      python:
        'def to_base(number, base):\n    digits = ""\n    while number >= base:\n        digits = str(number % base) + digits\n        number //= base\n    return str(number) + digits',
    },
    javascript: 'Math.abs(V).toString(P)',
    python: 'to_base(abs(V), P)',
    phrases: [
      'write the absolute value of the number in base {p}, as a string of digits',
      'convert the number, ignoring its sign, to a string in base {p}',
    ],
  },
]
