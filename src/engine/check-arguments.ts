import { EngineError } from './engine-error.ts'
import { shown } from './shown.ts'

const F32_MAXIMUM = 3.4028234663852886e38

interface Range {
  minimum: number
  maximum?: number
  /** Whether the minimum, or the maximum, itself is refused. */
  above?: boolean
  below?: boolean
}

/** Errors: what is no number, or lies outside the range once it is rounded to the engine's f32; the message begins with the name. */
export function checkNumber(name: string, value: unknown, range: Range): void {
  const { minimum, maximum = F32_MAXIMUM, above = false, below = false } = range
  const rounded = typeof value === 'number' ? Math.fround(value) : Number.NaN
  const high = below ? rounded < maximum : rounded <= maximum
  if (high && (above ? rounded > minimum : rounded >= Math.fround(minimum))) return
  const lower = `${above ? 'above' : 'at least'} ${minimum}`
  const upper = maximum === F32_MAXIMUM ? 'finite in 32 bits' : `${below ? 'below' : 'at most'} ${maximum}`
  throw new EngineError(`${name} is ${shown(value)}; it must be a number ${lower} and ${upper}`)
}

/** Errors: what is no integer from a minimum to a maximum; the message begins with the name. */
export function checkInteger(name: string, value: unknown, minimum: number, maximum: number): void {
  if (Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum) return
  const range = maximum < Number.MAX_SAFE_INTEGER ? `from ${minimum} to ${maximum}` : `from ${minimum}`
  throw new EngineError(`${name} is ${shown(value)}; it must be an integer ${range}`)
}

/** Errors: what is no text, or empty; the message begins with the name. */
export function checkText(name: string, value: unknown): void {
  if (typeof value === 'string' && value !== '') return
  throw new EngineError(`${name} is ${shown(value)}; it must be text`)
}

/** Errors: a setting that is not among the known: misspelt, it would leave its default in force unsaid. */
export function checkNames(where: string, settings: unknown, known: readonly string[]): void {
  if (typeof settings !== 'object' || settings === null)
    throw new EngineError(`${where}: the settings are ${shown(settings)}; they must be an object`)
  const unknown = Object.keys(settings).find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new EngineError(`${where}: no setting is named ${shown(unknown)}; there are ${known.join(', ')}`)
}
