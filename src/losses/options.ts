/**
 * Options of an algorithm as data: one table gives validation, types, defaults and the page of documentation.
 */
export interface OptionSpec<V> {
  /** The allowed values as a reader sees them: `[0, 1)`, `a | b`. */
  values: string
  fallback: V
  description: string
  /** The reason for refusing the value, or null when it is allowed. */
  refuse(value: unknown): string | null
}

export type OptionSpecs = Record<string, OptionSpec<unknown>>
export type OptionValues<S extends OptionSpecs> = {
  [K in keyof S]: S[K] extends OptionSpec<infer V> ? V : never
}
export type OptionsFor<S extends OptionSpecs> = Partial<OptionValues<S>>

/**
 * A number in an interval, written as in mathematics: `[0, 1)`, `(0, inf)`; `inf` itself is never allowed.
 */
export function numberOption(interval: string, fallback: number, description: string): OptionSpec<number> {
  return { values: interval, fallback, description, refuse: (value) => outsideInterval(interval, value) }
}

/** As `numberOption`, where null switches the option off. */
export function optionalNumberOption(
  interval: string,
  fallback: number | null,
  description: string,
): OptionSpec<number | null> {
  return {
    values: `${interval} or null`,
    fallback,
    description,
    refuse: (value) => (value === null ? null : outsideInterval(interval, value, ' or null')),
  }
}

/** One of several names; `refused` gives the reason against names that a user may expect to work. */
export function choiceOption<C extends string>(
  choices: readonly C[],
  fallback: C,
  description: string,
  refused: Record<string, string> = {},
): OptionSpec<C> {
  const values = choices.join(' | ')
  return {
    values,
    fallback,
    description,
    refuse: (value) => {
      if (choices.includes(value as C)) return null
      const reason = typeof value === 'string' ? refused[value] : undefined
      return `must be ${values}, got ${show(value)}${reason ? `: ${reason}` : ''}`
    },
  }
}

export function booleanOption(fallback: boolean, description: string): OptionSpec<boolean> {
  return {
    values: 'true | false',
    fallback,
    description,
    refuse: (value) => (typeof value === 'boolean' ? null : `must be true | false, got ${show(value)}`),
  }
}

/**
 * Fills in defaults.
 *
 * @throws RangeError naming the algorithm, the option, what is allowed and what came
 */
export function readOptions<S extends OptionSpecs>(
  id: string,
  specs: S,
  given: OptionsFor<S>,
): OptionValues<S> {
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(specs, name)) continue
    const known = Object.keys(specs).join(', ') || 'none'
    throw new RangeError(`${id}: unknown option "${name}"; its options are: ${known}`)
  }
  const values: Record<string, unknown> = {}
  for (const [name, spec] of Object.entries(specs)) {
    const value = (given as Record<string, unknown>)[name]
    values[name] = value === undefined ? spec.fallback : value
    const reason = spec.refuse(values[name])
    if (reason) throw new RangeError(`${id}: ${name} ${reason}`)
  }
  return values as OptionValues<S>
}

function outsideInterval(interval: string, value: unknown, alternative = ''): string | null {
  const [, open, low, high, close] = /^([[(])(\S+), (\S+)([\])])$/.exec(interval) ?? []
  const minimum = low === '-inf' ? -Infinity : Number(low)
  const maximum = high === 'inf' ? Infinity : Number(high)
  if (Number.isNaN(minimum) || Number.isNaN(maximum)) throw new Error(`not an interval: ${interval}`)
  const inside =
    typeof value === 'number' &&
    Number.isFinite(value) &&
    (open === '(' ? value > minimum : value >= minimum) &&
    (close === ')' ? value < maximum : value <= maximum)
  return inside ? null : `must be a finite number in ${interval}${alternative}, got ${show(value)}`
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
