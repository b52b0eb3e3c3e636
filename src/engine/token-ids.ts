import { EngineError } from './engine-error.ts'
import { shown } from './shown.ts'

/** Token ids as the engine takes them. Errors: what is no array, or no integer of the vocabulary, with its position. */
export function tokenIds(tokens: unknown, name: string, vocabulary: number): Int32Array {
  if (!Array.isArray(tokens) && !(ArrayBuffer.isView(tokens) && 'length' in tokens))
    throw new EngineError(`${name} is ${shown(tokens)}; it must be an Int32Array or an array of token ids`)
  const list = tokens as ArrayLike<unknown>
  for (let position = 0; position < list.length; position++) {
    const token = list[position] as number
    if (!Number.isInteger(token) || token < 0 || token >= vocabulary)
      throw new EngineError(
        `${name}[${position}] is ${shown(token)}; token ids are integers from 0 to ${vocabulary - 1}`,
      )
  }
  return Int32Array.from(list as ArrayLike<number>)
}
