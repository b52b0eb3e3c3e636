import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { systemWords } from '../files/index.ts'
import { CommandError, messageOf } from './command-error.ts'

/** What a model takes. */
interface Limits {
  readonly vocabularySize: number
  readonly context: number
}

/**
 * Rows of token ids, one JSON array a line (empty lines are skipped); `-` is standard input. Errors name the file, the line and
 * the entry; a row that the context cannot hold and a file without rows are among them.
 */
export async function* readTokenLines(file: string, limits: Limits): AsyncGenerator<Int32Array> {
  const input = file === '-' ? process.stdin : createReadStream(file)
  const failed = new Promise<never>((_, reject) => input.once('error', reject))
  failed.catch(() => {})
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]()
  const name = file === '-' ? 'standard input' : file
  let rows = 0
  for (let number = 1; ; number++) {
    let line: IteratorResult<string>
    try {
      line = await Promise.race([lines.next(), failed])
    } catch (error) {
      throw new CommandError(`cannot read ${name}: ${systemWords(error)}`)
    }
    if (line.done) {
      if (rows === 0) throw new CommandError(`${name} has no rows of tokens; write a JSON array on each line`)
      return
    }
    const text = number === 1 ? line.value.replace(/^\uFEFF/, '') : line.value
    if (text.trim() === '') continue
    rows++
    yield parseRow(text, `${name}, line ${number}`, limits)
  }
}

function parseRow(line: string, where: string, { vocabularySize, context }: Limits): Int32Array {
  let row: unknown
  try {
    row = JSON.parse(line)
  } catch (error) {
    throw new CommandError(`${where}: not valid JSON: ${messageOf(error)}`)
  }
  if (!Array.isArray(row)) throw new CommandError(`${where}: not a JSON array of token ids`)
  if (row.length === 0)
    throw new CommandError(
      `${where}: the row has no tokens; write two token ids or more, of which the first is not scored`,
    )
  // The last token is only asked about, not read.
  if (row.length > context + 1)
    throw new CommandError(
      `${where}: the row has ${row.length} tokens; the model's context is ${context}, so split rows of more than ${context + 1}`,
    )
  return Int32Array.from(row, (token: unknown, index) => {
    if (typeof token === 'number' && Number.isInteger(token) && token >= 0 && token < vocabularySize)
      return token
    throw new CommandError(
      `${where}: entry ${index} is ${shown(token)}; token ids are integers from 0 to ${vocabularySize - 1}`,
    )
  })
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  // JSON has no infinity but reads 1e400 as one.
  return typeof value === 'number' && !Number.isFinite(value) ? 'not a finite number' : JSON.stringify(value)
}
