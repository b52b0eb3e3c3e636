import type { Model, Sequence } from '../engine/index.ts'
import type { MaskedExample } from '../losses/index.ts'
import { forwardAll } from './measure-loss.ts'

/** The engine computes values where a target is asked for; which one is asked for makes no difference to them. */
export const askForValue = 0

/** A row whose score is read at its last token, which has seen all of it. */
export function scoredRow(tokens: Int32Array): { sequence: Sequence; mask: Uint8Array } {
  const target = new Int32Array(tokens.length).fill(-1)
  const mask = new Uint8Array(tokens.length)
  target[tokens.length - 1] = askForValue
  mask[tokens.length - 1] = 1
  return { sequence: { input: tokens, target }, mask }
}

export function scoredExample(rows: readonly Int32Array[]): MaskedExample {
  const scored = rows.map(scoredRow)
  return { sequences: scored.map(({ sequence }) => sequence), masks: scored.map(({ mask }) => mask) }
}

/**
 * What a reward model says of whole sequences (prompt and answer): the value at the last token of each. Shape: [N].
 *
 * @throws RangeError for a sequence without tokens
 */
export async function scoreWith(
  model: Pick<Model, 'forward'>,
  sequences: readonly ArrayLike<number>[],
): Promise<number[]> {
  const rows = sequences.map((tokens, index) => {
    if (tokens.length === 0) throw new RangeError(`scoreWith: sequence ${index} has no tokens`)
    return scoredRow(Int32Array.from(tokens)).sequence
  })
  const outputs = await forwardAll(model, rows, { values: true })
  return outputs.map(({ values }) => values!.at(-1)!)
}
