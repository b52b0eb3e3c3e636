import type { z } from 'zod'
import { DataError } from '../data-error.ts'
import { parseRow, readJsonLines } from '../json-lines.ts'

/** All rows of a JSONL file, each by the schema that fits its fields. Throws a DataError for a wrong row or none. */
export async function readRows<T>(
  path: string,
  form: string,
  schemaOf: (fields: object) => z.ZodType<T>,
): Promise<T[]> {
  const rows: T[] = []
  for await (const line of readJsonLines(path)) {
    const fields = typeof line.value === 'object' && line.value !== null ? line.value : {}
    rows.push(parseRow(schemaOf(fields), line, form))
  }
  if (rows.length === 0) throw new DataError(`${path}: no rows in it; each line is ${form}`)
  return rows
}
