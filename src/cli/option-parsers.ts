import { InvalidArgumentError } from 'commander'
import { LEAST_TEMPERATURE } from '../engine/limits.ts'

interface Range {
  minimum: number
  maximum?: number
  /** Whether the minimum itself is refused. */
  above?: boolean
}

/** A commander parser of an integer in a range, both ends included. */
export function integer({ minimum, maximum = Number.MAX_SAFE_INTEGER }: Range): (text: string) => number {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= minimum && value <= maximum) return value
    throw new InvalidArgumentError(`It must be an integer ${rangeText(minimum, maximum)}.`)
  }
}

/** A commander parser of a number in a range. */
export function number({
  minimum,
  maximum = Number.MAX_VALUE,
  above = false,
}: Range): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (value <= maximum && (above ? value > minimum : value >= minimum)) return value
    const most = maximum < Number.MAX_VALUE ? ` and at most ${maximum}` : ''
    throw new InvalidArgumentError(
      `It must be a number ${above ? `above ${minimum}${most}` : rangeText(minimum, maximum)}.`,
    )
  }
}

/** A commander parser of a name or a path. */
export function nonEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must not be empty.')
  return text
}

/** A commander parser that collects the values of an option given several times. */
export function collect(text: string, before: string[] = []): string[] {
  return [...before, text]
}

/** A commander parser that collects texts, none of them empty. */
export function collectText(text: string, before?: string[]): string[] {
  return collect(nonEmpty(text), before)
}

/** A commander parser of the temperature of a draw: 0 takes the likeliest token. */
export function temperature(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value === 0 || (value >= LEAST_TEMPERATURE && value <= 100)) return value
  throw new InvalidArgumentError(`It must be 0, or a number from ${LEAST_TEMPERATURE} to 100.`)
}

function rangeText(minimum: number, maximum: number): string {
  return maximum >= Number.MAX_SAFE_INTEGER ? `from ${minimum}` : `from ${minimum} to ${maximum}`
}

/** A commander parser of a list separated by commas, each item by its own parser. */
export function list<T>(parse: (text: string) => T): (text: string) => T[] {
  return (text) => text.split(',').map(parse)
}
