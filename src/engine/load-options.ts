import { availableParallelism, totalmem } from 'node:os'
import { checkInteger, checkNames } from './check-arguments.ts'
import { EngineError } from './engine-error.ts'
import type { Precision } from './model.ts'
import type { NativeLoadOptions } from './native-model.ts'
import { shown } from './shown.ts'

const GIB = 2 ** 30

/** How a model computes, and in how much memory. */
export interface EngineOptions {
  /** Of matrix products; sums, norms and optimiser state are f32 in both. Default 'bf16'. */
  precision?: Precision
  /** 1 to 1024. Default: the machine's cores. */
  threads?: number
  /** Most memory of keys and values in sampling, in bytes. Default: an eighth of the machine's, at most 2 GiB. */
  kvBytes?: number
  /**
   * Most memory of a training micro-batch's activations, in bytes; `keepSampled` holds as much again, at most. Default:
   * an eighth of the machine's, at most 1 GiB.
   */
  activationBytes?: number
}

const KNOWN = ['precision', 'threads', 'kvBytes', 'activationBytes']

/** The options as the addon takes them. Errors: an option that is unknown, further ones aside, or out of its range. */
export function nativeOptions(
  where: string,
  options: EngineOptions,
  further: readonly string[],
): NativeLoadOptions & { precision: Precision } {
  checkNames(where, options, [...KNOWN, ...further])
  const eighth = Math.floor(totalmem() / 8)
  const {
    precision = 'bf16',
    threads = availableParallelism(),
    kvBytes = Math.min(eighth, 2 * GIB),
    activationBytes = Math.min(eighth, GIB),
  } = options
  if (precision !== 'f32' && precision !== 'bf16')
    throw new EngineError(`${where}: precision is ${shown(precision)}; it must be 'f32' or 'bf16'`)
  checkInteger(`${where}: threads`, threads, 1, 1024)
  checkInteger(`${where}: kvBytes`, kvBytes, 1, Number.MAX_SAFE_INTEGER)
  checkInteger(`${where}: activationBytes`, activationBytes, 1, Number.MAX_SAFE_INTEGER)
  return { precision, threads, kvBytes, activationBytes }
}
