import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { systemWords } from '../files/index.ts'
import { CommandError, messageOf } from './command-error.ts'

/**
 * Rows of token ids, one JSON array a line (empty lines are skipped); `-` is standard input. Errors name the file, the line and
 * the entry; a file without rows is one.
 */
export async function* readTokenLines(file: string, vocabularySize: number): AsyncGenerator<Int32Array> {
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
    yield parseRow(text, `${name}, line ${number}`, vocabularySize)
  }
}

function parseRow(line: string, where: string, vocabularySize: number): Int32Array {
  let row: unknown
  try {
    row = JSON.parse(line)
  } catch (error) {
    throw new CommandError(`${where}: not valid JSON: ${messageOf(error)}`)
  }
  if (!Array.isArray(row) || row.length === 0)
    throw new CommandError(`${where}: not a JSON array of token ids`)
  return Int32Array.from(row, (token: unknown, index) => {
    if (typeof token === 'number' && Number.isInteger(token) && token >= 0 && token < vocabularySize)
      return token
    throw new CommandError(
      `${where}: entry ${index} is ${Array.isArray(token) ? 'an array' : JSON.stringify(token)}; token ids are integers from 0 to ${vocabularySize - 1}`,
    )
  })
}
