import type { Operation } from '../operation.ts'
import { gridOperations } from './grid.ts'
import { integerOperations } from './integer.ts'
import { integersOperations } from './integers.ts'
import { reductionOperations } from './reductions.ts'
import { selectionOperations } from './selections.ts'
import { textOperations } from './text.ts'
import { wordsOperations } from './words.ts'

/** Every operation that a generated task can ask for. */
export const operations: Operation[] = [
  ...selectionOperations,
  ...integersOperations,
  ...reductionOperations,
  ...integerOperations,
  ...textOperations,
  ...wordsOperations,
  ...gridOperations,
]
