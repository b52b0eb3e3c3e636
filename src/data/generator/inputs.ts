import type { Random } from '../random.ts'
import type { Value, Values, ValueType } from './operation.ts'

const vocabulary = (
  'apple orange tree on a river stone is old under the moon Alice Bob eats seven noodles at noon level radar ' +
  'bookkeeper hello world zebra queue idea echo unit ants see little letters across street tall roof rain'
).split(' ')

/** Inputs at the corners of each type, where solutions go wrong: empty, single, equal, extreme. */
const edges: { [T in ValueType]: Values[T][] } = {
  integers: [
    [],
    [0],
    [-7],
    [5, 5, 5, 5],
    [1, 2, 3, 4, 5, 6, 7],
    [9, 7, 4, 2, 0, -3],
    [-1, -2, -3, -4],
    [1000, -1000, 999, 12],
    [2, 2, 3, 3, 2, 2],
  ],
  integer: [0, 1, -1, 2, 10, -36, 97, 100, 1024, 9999],
  text: ['', 'a', 'Z', 'aaa', '   ', 'hello  world', 'AbBA', '12 ab 34', 'Mississippi', 'the end.'],
  words: [
    [],
    ['a'],
    ['same', 'same', 'same'],
    ['Zoo', 'apple', 'Ant', 'zebra'],
    ['x', 'yy', 'zzz', 'ww', 'v'],
    ['aeiou', 'rhythm'],
  ],
  grid: [
    [[4]],
    [
      [1, 2],
      [3, 4],
    ],
    [[1, 2, 3]],
    [[1], [2], [3]],
    [
      [0, 0],
      [0, 0],
    ],
    [
      [9, -8, 7],
      [-6, 5, -4],
      [3, -2, 1],
    ],
  ],
  counts: [],
}

/** The type's corner cases. */
export function edgeInputs(type: ValueType): Value[] {
  return edges[type]
}

/** A random value of the type, small enough to read. */
export function randomInput(random: Random, type: ValueType): Value {
  switch (type) {
    case 'integer':
      return random.integer(-50, random.pick([20, 200, 5000]))
    case 'integers':
      return randomIntegers(random, random.integer(2, 10))
    case 'text':
      return randomText(random)
    case 'words':
      return Array.from({ length: random.integer(1, 8) }, () => random.pick(vocabulary))
    case 'grid': {
      const columns = random.integer(1, 4)
      return Array.from({ length: random.integer(1, 4) }, () => randomIntegers(random, columns))
    }
    case 'counts':
      return {}
  }
}

/** A narrow range makes repeated numbers likely. */
function randomIntegers(random: Random, length: number): number[] {
  const widest = random.pick([5, 20, 100])
  const lowest = random.pick([0, -widest])
  return Array.from({ length }, () => random.integer(lowest, widest))
}

function randomText(random: Random): string {
  const words = Array.from({ length: random.integer(1, 5) }, () => random.pick(vocabulary))
  const separator = random.pick([' ', ' ', '  ', ', ', ''])
  return (
    words.map((word) => (random.next() < 0.2 ? word.toUpperCase() : word)).join(separator) +
    random.pick(['', '!', '42', 'ss'])
  )
}
