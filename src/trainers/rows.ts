import type { Example, Loss, Model, Sequence, TokenOutputs } from '../engine/index.ts'
import type { PureLoss } from '../losses/index.ts'
import { type TrainingSequence, type Trajectory, trainingSequences } from '../rollouts/index.ts'
import { forwardAll } from './measure-loss.ts'

/**
 * A trajectory as losses and advantages see it: its segments one after another, so that it counts once however often its history
 * was broken. Token arrays are [T], T over all segments.
 */
export interface Row {
  trajectory: Trajectory
  /** Index of its group in the batch. */
  group: number
  /** One a segment in which the policy drew something. */
  sequences: TrainingSequence[]
  /** -1 where the policy drew nothing. */
  target: Int32Array
  /** 1 on tokens that the policy drew. */
  mask: Uint8Array
  samplerLogprobs: Float32Array
  /** Drawn tokens. */
  tokens: number
}

/** A trajectory's row; undefined where the policy drew nothing, for then there is nothing to learn from. */
export function rowOf(trajectory: Trajectory, group: number): Row | undefined {
  const sequences = trainingSequences(trajectory).filter(({ mask }) => mask.includes(1))
  if (sequences.length === 0) return undefined
  const mask = Uint8Array.from(sequences.flatMap((sequence) => [...sequence.mask]))
  return {
    trajectory,
    group,
    sequences,
    target: Int32Array.from(sequences.flatMap(({ target }) => [...target])),
    mask,
    samplerLogprobs: joined(sequences.map(({ samplerLogprobs }) => samplerLogprobs)),
    tokens: mask.reduce((sum, m) => sum + m, 0),
  }
}

/** What logits were divided by in all rows. @throws Error where they differ: a batch goes through the model at one temperature */
export function temperatureOf(rows: readonly Row[]): number {
  const found = new Set(rows.flatMap(({ sequences }) => sequences.map(({ temperature }) => temperature)))
  if (found.size > 1)
    throw new Error(
      `the rollouts of a step drew tokens at temperatures ${[...found].join(' and ')}; draw all of them at one, ` +
        'or those that are not to be trained through another policy',
    )
  return [...found][0] ?? 1
}

/** Rows that a loss sees together; `inner` is what it sees, one sequence a row. */
export interface RowsExample<E extends Example> extends Example {
  rows: readonly Row[]
  inner: E
}

export function rowsExample<F extends object>(rows: readonly Row[], fields: F): RowsExample<F & RowFields> {
  return {
    rows,
    sequences: rows.flatMap(({ sequences }) => sequences),
    inner: {
      ...fields,
      sequences: rows.map(({ target }) => ({ input: target, target })),
      masks: rows.map(({ mask }) => mask),
    },
  }
}

interface RowFields {
  sequences: Sequence[]
  masks: Uint8Array[]
}

/**
 * A loss of rows as the engine takes it, over their segments.
 *
 * @param hear is told what the model said of each row, before the loss
 */
export function rowsLoss<E extends Example>(
  loss: PureLoss<E>,
  hear: (row: Row, logprobs: Float32Array) => void = () => {},
): Loss<RowsExample<E>> {
  return ({ rows, inner }, outputs) => {
    const whole = joinOutputs(rows, outputs)
    for (const [index, row] of rows.entries()) hear(row, whole[index]!.logprobs)
    const result = loss(inner, whole)
    return { ...result, gradients: rows.flatMap((row, index) => splitOutput(row, result.gradients[index]!)) }
  }
}

/** What a model says of rows, at the temperature they were drawn at. */
export async function forwardRows(
  model: Pick<Model, 'forward'>,
  rows: readonly Row[],
  options: { values?: boolean } = {},
): Promise<TokenOutputs[]> {
  const sequences = rows.flatMap((row) => row.sequences)
  return joinOutputs(
    rows,
    await forwardAll(model, sequences, { ...options, temperature: temperatureOf(rows) }),
  )
}

function joinOutputs(rows: readonly Row[], outputs: readonly TokenOutputs[]): TokenOutputs[] {
  let next = 0
  return rows.map(({ sequences }) => {
    const parts = outputs.slice(next, next + sequences.length)
    next += sequences.length
    const [first] = parts
    return {
      logprobs: joined(parts.map(({ logprobs }) => logprobs)),
      ...(first?.entropy && { entropy: joined(parts.map(({ entropy }) => entropy!)) }),
      ...(first?.values && { values: joined(parts.map(({ values }) => values!)) }),
    }
  })
}

function splitOutput({ sequences }: Row, { logprobs, entropy, values }: TokenOutputs): TokenOutputs[] {
  let from = 0
  return sequences.map(({ target }) => {
    const [begin, end] = [from, from + target.length]
    from = end
    return {
      logprobs: logprobs.subarray(begin, end),
      ...(entropy && { entropy: entropy.subarray(begin, end) }),
      ...(values && { values: values.subarray(begin, end) }),
    }
  })
}

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
