/** What the engine's side of the bench shares: the workload that the peers run too, a timer, and the loss. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Example, Precision, Sequence, TokenOutputs } from '../../src/engine/index.ts'

interface Workload {
  training: { rows: number; tokensPerRow: number }
  sampling: { samples: number; newTokens: number; temperature: number; prompt: number[] }
  grpo: {
    samples: number
    newTokens: number
    klCoefficient: number
    learningRate: number
    prompts: string[]
  }
  vocabulary: number
}

export const workload: Workload = JSON.parse(
  readFileSync(new URL('../workload.json', import.meta.url), 'utf8'),
)
export const modelPath = fileURLToPath(new URL('../.peers/weights/smollm2-135m', import.meta.url))

/** Token i of row r of the training rows; rows differ from their first token on, so that no prefix is shared. */
export const token = (row: number, position: number) =>
  (7919 * row + 104729 * position + 17) % workload.vocabulary

export function trainingRows(): Sequence[] {
  const { rows, tokensPerRow } = workload.training
  return Array.from({ length: rows }, (_, row) => ({
    input: Int32Array.from({ length: tokensPerRow }, (_, i) => token(row, i)),
    target: Int32Array.from({ length: tokensPerRow }, (_, i) => token(row, i + 1)),
  }))
}

/** Mean negative log-probability over `targets` targets of the batch; a target of -1 counts for nothing. */
export const crossEntropy = (targets: number) => (example: Example, outputs: TokenOutputs[]) => {
  let sum = 0
  const gradients = outputs.map(({ logprobs }, s) => {
    const { target } = example.sequences[s]!
    sum += logprobs.reduce((total, logprob) => total + logprob, 0)
    return { logprobs: Float32Array.from(target, (id) => (id < 0 ? 0 : -1 / targets)) }
  })
  return { loss: -sum / targets, gradients, metrics: {} }
}

export function precisionArgument(): Precision {
  const precision = process.argv[2]
  if (precision === 'bf16' || precision === 'f32') return precision
  console.error(`usage: node ${process.argv[1]} bf16|f32 [repetitions]`)
  process.exit(2)
}

/** Repetitions: the script's second argument. */
export const repetitions = (usual: number) => Number(process.argv[3] ?? usual)

/** Seconds of each of `count` calls after `warmUps` untimed ones. */
export async function time(work: () => Promise<unknown>, warmUps: number, count: number): Promise<number[]> {
  const seconds: number[] = []
  for (let call = 0; call < warmUps + count; call++) {
    const begun = performance.now()
    await work()
    if (call >= warmUps) seconds.push((performance.now() - begun) / 1000)
  }
  return seconds
}

export const print = (result: object) => console.log(JSON.stringify(result))

/** Bytes of a field of /proc/self/status, such as VmHWM (peak resident memory) or VmRSS (resident now). */
export function memory(field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
  if (found === null)
    throw new Error(`/proc/self/status has no ${field}; peak memory is measured on Linux only`)
  return Number(found[1]) * 1024
}
