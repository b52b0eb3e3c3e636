import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from './engine-error.ts'

/** Full training holds four f32 a parameter: the weight, its gradient and AdamW's two moments. */
const trainingBytesPerParameter = 16

/**
 * Told before the system ends the process for it, which it does without a word.
 * @throws EngineError where weights of this size on disk cannot fit into the memory there is
 */
export async function checkWeightsFit(path: string): Promise<void> {
  const bytes = await weightBytes(path)
  const available = process.availableMemory()
  if (bytes > available)
    throw new EngineError(
      `${path} has ${gigabytes(bytes)} of weights, but only ${gigabytes(available)} of memory are available; ` +
        'free some, or load a smaller model',
    )
}

/** @throws EngineError where full training of so many parameters cannot fit into the memory there is */
export function checkTrainingFits(parameters: number): void {
  const needed = parameters * trainingBytesPerParameter
  const available = process.availableMemory()
  if (needed > available)
    throw new EngineError(
      `trainable: full training of ${(parameters / 1e6).toFixed(0)} million parameters holds ${gigabytes(needed)} of weights, gradients and ` +
        `moments, but only ${gigabytes(available)} of memory are available; free some, train an adapter ({ lora: { rank: 16 } }), or ` +
        'take a smaller model',
    )
}

async function weightBytes(path: string): Promise<number> {
  // A path that is not there is told by who opens it.
  const found = await stat(path).catch(() => undefined)
  if (!found?.isDirectory()) return found?.size ?? 0
  const files = (await readdir(path)).filter((name) => name.endsWith('.safetensors'))
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(path, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
