/**
 * One sequence, token by token: node bench/engine/one-sequence.ts bf16|f32 [repetitions]
 *
 * The time for 128 tokens is the difference between a sample of 129 and a sample of 1, so that the prompt does not count.
 */
import { loadModel } from '../../src/engine/index.ts'
import { modelPath, precisionArgument, print, repetitions, time, workload } from './workload.ts'

const model = await loadModel(modelPath, { precision: precisionArgument() })
const { temperature, prompt } = workload.sampling
const tokens = 128
const sample = (maxTokens: number) => () => model.sample({ prompt, maxTokens, temperature, stopTokens: [] })
const count = repetitions(5)
const short = await time(sample(1), 1, count)
const long = await time(sample(1 + tokens), 1, count)
const promptSeconds = short.toSorted((a, b) => a - b)[Math.floor(count / 2)]!
print({ tokens, seconds: long.map((seconds) => seconds - promptSeconds) })
