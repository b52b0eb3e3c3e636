import type { FloatArray, Sequence } from '../../src/engine/contract.ts'

/** Inputs of a case by name: numbers, strings, or arrays of them, ragged ones as [sequence][token]. */
// biome-ignore lint/suspicious/noExplicitAny: the shape depends on the algorithm; comparing the outcome checks it.
export type Inputs = Record<string, any>

export interface GoldenCase {
  inputs: Inputs
  /** Reading an option marks it as understood; one left unread fails the case. */
  config: Inputs
  /** A ragged array in the width of the file's dtype. */
  rows(name: string): FloatArray[]
  row(name: string): FloatArray
}

/** What the project computes for a case, by the names of the golden's expected values. */
export type Computed = Record<string, unknown>
export type Adapter = (golden: GoldenCase) => Computed

/** Sequences of the given lengths; goldens of losses start at the log-probabilities, so tokens do not matter. */
export function sequencesOf(rows: ArrayLike<number>[]): Sequence[] {
  return rows.map(({ length }) => ({ input: new Int32Array(length), target: new Int32Array(length) }))
}

/** Only the options that are set, under the names of the project. */
export function options<T extends Record<string, unknown>>(
  config: Inputs,
  names: readonly (keyof T & string)[],
): Partial<T> {
  const picked: Record<string, unknown> = {}
  for (const name of names) if (name in config) picked[name] = config[name]
  return picked as Partial<T>
}

/** Sequence numbers of each group, in order of first appearance. */
export function groupIndices(groups: number[]): number[][] {
  const members = new Map<number, number[]>()
  groups.forEach((group, i) => {
    members.set(group, [...(members.get(group) ?? []), i])
  })
  return [...members.values()]
}
