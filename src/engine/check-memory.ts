import { readdir, stat } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { EngineError } from './engine-error.ts'
import type { Precision } from './model.ts'

/** Full training holds four f32 a parameter: the weight, its gradient and AdamW's two moments. */
const trainingBytesPerParameter = 16
/** What a checkpoint's weights are in; adapters and other forms of the same weights may lie beside them. */
const weightFiles = /^model(-\d+-of-\d+)?\.safetensors$/

/** A container's limit where there is one, else the machine's memory, in bytes. */
export function memoryLimit(): number {
  const limit = process.constrainedMemory()
  return limit > 0 && limit < totalmem() ? limit : totalmem()
}

/**
 * Told before the system ends the process for it, which it does without a word. What is free at the moment is not asked: much of what is
 * not can be had back.
 * @throws EngineError where at least so many bytes are needed and the machine has fewer; `what` needs them, `mend` says what to do
 */
export function refuseBeyondMemory(bytes: number, what: string, mend: string): void {
  if (bytes > memoryLimit())
    throw new EngineError(
      `${what} at least ${gigabytes(bytes)}, and this machine has ${gigabytes(memoryLimit())} of memory; ${mend}`,
    )
}

/** @throws EngineError where the weights at a path cannot fit into memory in this precision */
export async function checkWeightsFit(path: string, precision: Precision): Promise<void> {
  const bytes = (await weightBytes(path)) * (precision === 'bf16' ? 0.5 : 1)
  refuseBeyondMemory(bytes, `${path}: its weights take`, 'load a smaller model')
}

/** @throws EngineError where full training of so many parameters cannot fit into memory */
export function checkTrainingFits(parameters: number): void {
  refuseBeyondMemory(
    parameters * trainingBytesPerParameter,
    `trainable: weights, gradients and moments of ${(parameters / 1e6).toFixed(0)} million parameters take`,
    'train an adapter ({ lora: { rank: 16 } }) or a smaller model',
  )
}

async function weightBytes(path: string): Promise<number> {
  // A path that is not there is told by who opens it.
  const found = await stat(path).catch(() => undefined)
  if (!found?.isDirectory()) return found?.size ?? 0
  const files = (await readdir(path)).filter((name) => weightFiles.test(name))
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(path, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
