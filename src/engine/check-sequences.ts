import { checkNames, checkNumber } from './check-arguments.ts'
import type { Sequence } from './contract.ts'
import { EngineError } from './engine-error.ts'
import { LEAST_TEMPERATURE } from './limits.ts'
import type { TrainingOptions } from './model.ts'
import { shown } from './shown.ts'

/** What bounds a model's sequences. */
export interface SequenceLimits {
  vocabularySize: number
  context: number
}

/** Errors: what is no sequence, is empty or longer than the context, or holds what is no token, with its place. */
export function checkSequences(sequences: unknown, limits: SequenceLimits, where = ''): void {
  if (!Array.isArray(sequences))
    throw new EngineError(
      `${where}sequences is ${shown(sequences)}; it must be an array of { input, target }`,
    )
  for (let index = 0; index < sequences.length; index++)
    checkSequence(sequences[index], limits, `${where}sequence ${index}`)
}

function checkSequence(sequence: Partial<Sequence> | undefined, limits: SequenceLimits, name: string): void {
  const { input, target, attention } = sequence ?? {}
  if (!(input instanceof Int32Array) || !(target instanceof Int32Array)) {
    const [part, value] = input instanceof Int32Array ? ['target', target] : ['input', input]
    throw new EngineError(`${name}: ${part} is ${shown(value)}; it must be an Int32Array`)
  }
  const { vocabularySize, context } = limits
  if (input.length !== target.length)
    throw new EngineError(
      `${name} has ${input.length} input and ${target.length} target tokens; they must be as many`,
    )
  if (input.length === 0)
    throw new EngineError(`${name} has no tokens; a sequence has at least 1, so leave an empty one out`)
  if (input.length > context)
    throw new EngineError(`${name} has ${input.length} tokens; the model's context is ${context}`)
  checkTokens(`${name}, input`, input, 0, vocabularySize)
  checkTokens(`${name}, target`, target, -1, vocabularySize)
  if (attention === undefined || attention === 'causal' || attention === 'bidirectional') return
  const prefix = (attention as { prefix?: unknown } | null)?.prefix
  if (!Number.isSafeInteger(prefix) || (prefix as number) < 0)
    throw new EngineError(
      `${name}: attention is ${shown(attention)}; it must be 'causal', 'bidirectional' or { prefix: an integer from 0 }`,
    )
}

function checkTokens(name: string, tokens: Int32Array, least: number, vocabulary: number): void {
  for (let position = 0; position < tokens.length; position++) {
    const token = tokens[position] as number
    if (token < least || token >= vocabulary)
      throw new EngineError(
        `${name}[${position}] is token ${token}; the vocabulary has 0 to ${vocabulary - 1}`,
      )
  }
}

const SWITCHES = ['entropy', 'values', 'sharePrefixes', 'recompute'] as const

/** Errors: an option that is unknown or no boolean, a temperature out of range. */
export function checkOptions(where: 'forward' | 'forwardBackward', options: TrainingOptions): void {
  const switches = where === 'forward' ? SWITCHES.slice(0, 3) : SWITCHES
  checkNames(where, options, ['temperature', ...switches])
  for (const name of switches)
    if (options[name] !== undefined && typeof options[name] !== 'boolean')
      throw new EngineError(`${where}: ${name} is ${shown(options[name])}; it must be true or false`)
  checkNumber(`${where}: temperature`, options.temperature ?? 1, { minimum: LEAST_TEMPERATURE })
}
