import { z } from 'zod'
import { DataError } from '../data-error.ts'
import { parseRow, readJsonLines } from '../json-lines.ts'

const row = z.union(
  [z.string(), z.object({ text: z.string() }).transform(({ text }) => text)],
  'must be {"text": ...} or a text',
)

/**
 * Documents of JSONL files (gzipped or not), one after another: `{"text": ...}` or a bare string a row. They are read as they are
 * asked for, and each new loop reads from the beginning. Throws a DataError that names path and line for a wrong row, and one for a
 * file without rows.
 */
export function readDocuments(...paths: [string, ...string[]]): AsyncIterable<string> {
  return {
    async *[Symbol.asyncIterator]() {
      for (const path of paths) {
        let rows = 0
        for await (const line of readJsonLines(path)) {
          rows++
          yield parseRow(row, line, 'a document')
        }
        if (rows === 0) throw new DataError(`${path}: no rows in it; each line is {"text": ...}`)
      }
    },
  }
}
