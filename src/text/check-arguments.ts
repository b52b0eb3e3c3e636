import { inspect } from 'node:util'
import { TextError } from './text-error.ts'

/** A value of any kind, short enough for an error. */
export function shown(value: unknown): string {
  return inspect(value, {
    depth: 0,
    breakLength: Number.POSITIVE_INFINITY,
    maxArrayLength: 4,
    maxStringLength: 60,
  })
}

/** Errors: what is no text; the message begins with the name. */
export function checkText(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw new TextError(`${name} is ${shown(value)}; it must be text`)
}

/** Errors: what is neither text nor left out. */
export function checkOptionalText(name: string, value: unknown): void {
  if (value !== undefined) checkText(name, value)
}

/** Errors: what is neither true, false nor left out. */
export function checkSwitch(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean')
    throw new TextError(`${name} is ${shown(value)}; it must be true or false`)
}

/** Errors: what is no object with fields. */
export function checkObject(name: string, value: unknown): asserts value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TextError(`${name} is ${shown(value)}; it must be an object`)
}

/** Errors: what is no array. */
export function checkArray(name: string, value: unknown): asserts value is unknown[] {
  if (!Array.isArray(value)) throw new TextError(`${name} is ${shown(value)}; it must be an array`)
}

/** Errors: what is no path. */
export function checkDirectory(name: string, value: unknown): void {
  checkText(name, value)
  if (value === '') throw new TextError(`${name} is empty; give a folder, '.' for the current one`)
}

const LARGEST_ID = 0x7fff_ffff

/** One token id. Errors: what is no integer from 0. */
export function checkToken(token: unknown): number {
  if (!Number.isInteger(token) || (token as number) < 0 || (token as number) > LARGEST_ID)
    throw new TextError(`${shown(token)} is not a token id; ids are integers from 0`)
  return token as number
}

/** Token ids as the native tokenizer takes them. Errors: what is no array, or holds what is no token id. */
export function tokenIds(tokens: ArrayLike<number>): Int32Array {
  if (!Array.isArray(tokens) && !ArrayBuffer.isView(tokens))
    throw new TextError(`the tokens are ${shown(tokens)}; they must be an array of token ids`)
  if (!(tokens instanceof Int32Array)) return Int32Array.from(tokens as number[], checkToken)
  for (const token of tokens) if (token < 0) checkToken(token)
  return tokens
}
