import type { Condition } from '../operation.ts'

/** What a branch can ask. */
export const conditions: Condition[] = [
  {
    id: 'length-even',
    from: 'integers',
    javascript: 'V.length % 2 === 0',
    python: 'len(V) % 2 == 0',
    phrases: ['the list then has an even number of elements', 'the number of elements is even at this point'],
  },
  {
    id: 'sum-above',
    from: 'integers',
    parameter: { low: 0, high: 25 },
    javascript: 'V.reduce((sum, x) => sum + x, 0) > P',
    python: 'sum(V) > P',
    phrases: ['the numbers then add up to more than {p}', 'the sum of the numbers exceeds {p} at this point'],
  },
  {
    id: 'has-negative',
    from: 'integers',
    javascript: 'V.some((x) => x < 0)',
    python: 'any(x < 0 for x in V)',
    phrases: ['any number is then negative', 'at least one number is below zero at this point'],
  },
  {
    id: 'integer-even',
    from: 'integer',
    javascript: 'V % 2 === 0',
    python: 'V % 2 == 0',
    phrases: ['the number is then even', 'two divides the number at this point'],
  },
  {
    id: 'integer-above',
    from: 'integer',
    parameter: { low: 0, high: 40 },
    javascript: 'V > P',
    python: 'V > P',
    phrases: ['the number is then greater than {p}', 'the number exceeds {p} at this point'],
  },
  {
    id: 'text-longer',
    from: 'text',
    parameter: { low: 4, high: 14 },
    javascript: 'V.length > P',
    python: 'len(V) > P',
    phrases: [
      'the text then has more than {p} characters',
      'the length of the text exceeds {p} at this point',
    ],
  },
  {
    id: 'text-letter',
    from: 'text',
    parameter: { choices: ['a', 'e', 'o', 's', 't'] },
    javascript: 'V.includes(P)',
    python: 'P in V',
    phrases: [
      'the text then contains the small letter {p}',
      'the lower-case letter {p} occurs in the text at this point',
    ],
  },
  {
    id: 'many-words',
    from: 'words',
    parameter: { low: 2, high: 5 },
    javascript: 'V.length > P',
    python: 'len(V) > P',
    phrases: ['there are then more than {p} words', 'the number of words exceeds {p} at this point'],
  },
  {
    id: 'square-grid',
    from: 'grid',
    javascript: 'V.length === V[0].length',
    python: 'len(V) == len(V[0])',
    phrases: ['the grid then has as many rows as columns', 'the grid is square at this point'],
  },
]
