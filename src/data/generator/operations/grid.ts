import type { Operation } from '../operation.ts'

/** Grids to grids, lists and integers. */
export const gridOperations: Operation[] = [
  {
    id: 'transpose',
    from: 'grid',
    to: 'grid',
    javascript: 'V[0].map((_, column) => V.map((row) => row[column]))',
    python: '[list(column) for column in zip(*V)]',
    phrases: ['transpose the grid, so that rows become columns', 'exchange the rows and columns of the grid'],
  },
  {
    id: 'flip-rows',
    from: 'grid',
    to: 'grid',
    javascript: '[...V].reverse()',
    python: 'V[::-1]',
    phrases: ['turn the grid upside down, so that the last row comes first', 'reverse the order of the rows'],
  },
  {
    id: 'mirror',
    from: 'grid',
    to: 'grid',
    javascript: 'V.map((row) => [...row].reverse())',
    python: '[row[::-1] for row in V]',
    phrases: ['mirror the grid, so that each row runs from right to left', 'reverse every row'],
  },
  {
    id: 'grid-add',
    from: 'grid',
    to: 'grid',
    parameter: { low: 1, high: 20 },
    javascript: 'V.map((row) => row.map((x) => x + P))',
    python: '[[x + P for x in row] for row in V]',
    phrases: ['add {p} to each cell', 'increase every cell by {p}'],
  },
  {
    id: 'grid-cap',
    from: 'grid',
    to: 'grid',
    parameter: { low: 3, high: 20 },
    javascript: 'V.map((row) => row.map((x) => Math.min(x, P)))',
    python: '[[min(x, P) for x in row] for row in V]',
    phrases: ['replace every cell above {p} by {p}', 'cap each cell at {p}'],
  },
  {
    id: 'sort-rows',
    from: 'grid',
    to: 'grid',
    javascript: 'V.map((row) => [...row].sort((a, b) => a - b))',
    python: '[sorted(row) for row in V]',
    phrases: [
      'sort each row in ascending order',
      'put the cells of every row in order from smallest to largest',
    ],
  },
  {
    id: 'row-sums',
    from: 'grid',
    to: 'integers',
    javascript: 'V.map((row) => row.reduce((sum, x) => sum + x, 0))',
    python: '[sum(row) for row in V]',
    phrases: ['list the sum of each row', 'replace every row by the sum of its cells'],
  },
  {
    id: 'column-sums',
    from: 'grid',
    to: 'integers',
    javascript: 'V[0].map((_, column) => V.reduce((sum, row) => sum + row[column], 0))',
    python: '[sum(column) for column in zip(*V)]',
    phrases: [
      'list the sum of each column, from left to right',
      'replace the grid by the sums of its columns',
    ],
  },
  {
    id: 'flatten',
    from: 'grid',
    to: 'integers',
    javascript: 'V.flat()',
    python: '[x for row in V for x in row]',
    phrases: ['list all cells row by row', 'join the rows into one list'],
  },
  {
    id: 'diagonal',
    from: 'grid',
    to: 'integers',
    javascript: 'V.slice(0, V[0].length).map((row, i) => row[i])',
    python: '[V[i][i] for i in range(min(len(V), len(V[0])))]',
    phrases: [
      'list the cells of the main diagonal, from the top left as far as it reaches',
      'list the cells whose row number equals their column number, from the top',
    ],
  },
  {
    id: 'row-maxima',
    from: 'grid',
    to: 'integers',
    javascript: 'V.map((row) => Math.max(...row))',
    python: '[max(row) for row in V]',
    phrases: ['list the largest cell of each row', 'replace every row by its maximum'],
  },
  {
    id: 'spiral',
    from: 'grid',
    to: 'integers',
    define: {
      javascript:
        'function spiral(grid) {\n  const path = []\n  let rest = grid\n  while (rest.length > 0) {\n    path.push(...rest[0])\n    const below = rest.slice(1)\n    rest = below.length === 0 ? [] : below[0].map((_, i) => below.map((row) => row[row.length - 1 - i]))\n  }\n  return path\n}',
      python:
        'def spiral(grid):\n    path = []\n    while grid:\n        path += grid[0]\n        grid = list(zip(*grid[1:]))[::-1]\n    return path',
    },
    javascript: 'spiral(V)',
    python: 'spiral(V)',
    phrases: [
      'list the cells in a clockwise spiral from the top left inwards',
      'walk around the grid from the top left cell to the right, spiralling clockwise inwards, and list the cells on the way',
    ],
  },
  {
    id: 'grid-count',
    from: 'grid',
    to: 'integer',
    parameter: { low: 0, high: 10 },
    javascript: 'V.flat().filter((x) => x > P).length',
    python: 'sum(x > P for row in V for x in row)',
    phrases: ['count the cells greater than {p}', 'determine how many cells exceed {p}'],
  },
  {
    id: 'border-sum',
    from: 'grid',
    to: 'integer',
    javascript:
      'V.reduce((sum, row, y) => sum + row.reduce((part, x, i) => (y === 0 || y === V.length - 1 || i === 0 || i === row.length - 1 ? part + x : part), 0), 0)',
    python: 'sum(map(sum, V)) - sum(sum(row[1:-1]) for row in V[1:-1])',
    phrases: [
      'add up the cells on the border of the grid',
      'compute the sum of the cells in the first and last row and column, each cell once',
    ],
  },
]
